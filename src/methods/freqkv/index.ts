/**
 * FreqKV (arXiv 2505.00570): when the cache is full, keys and values between the sinks and the most recent tokens are low-passed
 * along the text to fewer rows, again and again. Rows of the cache then are mixtures of tokens.
 */
import { UserError } from '../../base/user-error';
import type { Method } from '../method';
import { startFreqkv } from './run';
import { cacheIn, compressions, freqkvParameters, storedRows } from './schema';

export const freqkv: Method = {
  id: 'freqkv',
  title: 'FreqKV',
  summary: 'Low-passes a full cache along the text: most rows become mixtures of neighbouring tokens.',
  citation: {
    authors: 'Kai, Zeng, Wang, Bai, He, Jiang, Lin',
    year: 2025,
    url: 'https://arxiv.org/abs/2505.00570',
  },
  presets: { paper: { from: 'code' } },
  parameters: freqkvParameters,
  notes: () => [
    'Untuned: the paper trains the model for its compressed cache; here the weights are as they were, and quality is lower.',
    'Rows of the cache are mixtures of tokens, oldest tokens mixed most often; only sinks and tokens read since the last compression stand as themselves.',
  ],
  validate(parameters, { layers }) {
    for (let layer = 0; layer < layers; layer++) {
      const { fullRows, sinkTokens, recentTokens, spanRows } = cacheIn(parameters, layer);
      if (spanRows >= 1) continue;
      throw new UserError(
        `freqkv: a cache of ${fullRows} rows has no room beside ${sinkTokens} sinks and ${recentTokens} recent tokens; cacheTokens must be more than both together.`,
      );
    }
  },
  traits: () => ({
    ...{ decides: 'whileReading', evicts: true, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'made', unit: 'frequency', positions: 'cache', wants: { unrotated: true } },
  }),
  // Layers may differ in their caches; a block ends where one of them is full.
  blocks(parameters, tokens, _evictAt, { layers }) {
    const ends = new Set([tokens]);
    for (let layer = 0; layer < layers; layer++) {
      const { fullRows, freedRows } = cacheIn(parameters, layer);
      for (let end = fullRows; end < tokens; end += freedRows) ends.add(end);
    }
    const ascending = [...ends].filter((end) => end > 0).sort((a, b) => a - b);
    return ascending.map((end, i) => ({ start: ascending[i - 1] ?? 0, end }));
  },
  start: startFreqkv,
  cost(parameters, context, layer, { position, block }) {
    const cache = cacheIn(parameters, layer);
    const width = 2 * context.keyValueHeads * context.headDimension;
    const keptKeys = storedRows(block.start, cache) + position + 1 - block.start;
    // A compression makes room for so many tokens, which share it.
    const mixes = cache.mixedRows > 0 && compressions(block.start, cache) > 0;
    const share = mixes ? 1 / cache.freedRows : 0;
    return {
      keptKeys,
      selectionOperations: share * 2 * cache.mixedRows * cache.spanRows * width,
      readNumbers: width * (keptKeys + share * cache.spanRows),
    };
  },
  memory(parameters, place) {
    const { layers, keyValueHeads, queryHeads, headDimension, largestBlock, isRotary, tokens } = place;
    const caches = Array.from({ length: layers }, (_, layer) => cacheIn(parameters, layer));
    const most = (of: (cache: (typeof caches)[number]) => number): number => Math.max(...caches.map(of));
    const width = keyValueHeads * headDimension;
    const attended = {
      label: 'keys and values in the cache',
      elements:
        Math.min(
          tokens,
          most(({ fullRows }) => fullRows),
        ) * width,
      count: 2,
    };
    const placed = {
      label: 'queries after the cache',
      elements: largestBlock * queryHeads * headDimension,
      count: 1,
    };
    const attention = isRotary ? [attended, placed] : [attended];
    const mixes = caches.some((cache) => cache.mixedRows > 0 && compressions(tokens, cache) > 0);
    if (!mixes) return attention;
    const mixed = most(({ mixedRows }) => mixedRows);
    const span = most(({ spanRows }) => spanRows);
    return [
      ...attention,
      // Keys and values, as they are and as a rewind finds them; a block's copy and the compression in progress.
      { label: 'mixtures of tokens', elements: mixed * width, count: 4 * layers + 4 },
      { label: 'rows to be mixed', elements: span * width, count: 2 },
      {
        label: 'mixing matrix',
        elements: mixed * span,
        count: new Set(caches.map(({ mixedRows, spanRows }) => `${mixedRows}/${spanRows}`)).size,
      },
    ];
  },
  withBudget(parameters, { tokens, layers }, keepFraction) {
    const cacheTokens = Math.floor(keepFraction * tokens);
    const least = Math.max(
      ...Array.from({ length: layers }, (_, layer) => {
        const { sinkTokens, recentTokens } = cacheIn(parameters, layer);
        return sinkTokens + recentTokens + 1;
      }),
    );
    if (cacheTokens >= least) return { parameters: { ...parameters, cacheTokens } };
    // A cache with room for the whole text is never full, however much of it sinks and recent tokens would take.
    if (keepFraction >= 1) return { parameters: { ...parameters, cacheTokens: least } };
    return { floor: Math.min(1, least / tokens) };
  },
};
