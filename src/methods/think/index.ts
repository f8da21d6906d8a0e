/**
 * ThinK (arXiv 2407.21018) as in kvpress (think_press.py): no token is dropped; keys before the eviction lose the channels that matter
 * least to the last queries, in each KV head its own.
 */
import { type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { blocksAround } from '../blocks';
import { NOTHING_TO_EVICT } from '../budget';
import { defaultChunkTokens, mostTokens, scaledDefault } from '../defaults';
import { keepEverything } from '../keep-everything';
import type { Method, MethodContext, MethodRun } from '../method';
import { numberIn, type Parameters } from '../parameters';
import { bestChannels, channelScores, withChannels } from './channels';

/** d − ⌊d·(1 − f)⌋, as kvpress rounds what it prunes. */
export function channelsKept(parameters: Parameters, layer: number, headDimension: number): number {
  const fraction = numberIn(parameters, 'channelFraction', layer);
  return headDimension - Math.floor(headDimension * (1 - fraction));
}

const largestWindow = ({ windowTokens }: Parameters): number =>
  Math.max(...([windowTokens].flat() as number[]));

export const think: Method = {
  id: 'think',
  title: 'ThinK',
  summary: 'Keeps every token, but of the keys only the channels that matter most to the last queries.',
  citation: {
    authors: 'Xu, Jie, Dong, Wang, Lu, Zhou, Saha, Xiong, Sahoo',
    year: 2024,
    url: 'https://arxiv.org/abs/2407.21018',
  },
  presets: {
    kvpress: { parameters: { windowTokens: 32 }, evictAfter: 'context' },
  },
  parameters: {
    channelFraction: {
      kind: 'fraction',
      label: 'Kept channels',
      help: 'Channels of the keys that stay, as a fraction of all; half of what is removed is saved, as values stay whole. kvpress gives the fraction removed and calls it key_channel_compression_ratio.',
      minimum: 0.01,
      maximum: 1,
      unit: '%',
      default: () => 0.5,
    },
    windowTokens: {
      kind: 'count',
      label: 'Window',
      help: 'Last queries before the eviction, by which channels are judged. kvpress calls it window_size.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      ...scaledDefault(64, 8, 32),
    },
  },
  notes: () => [
    'As in kvpress, channels of all keys before the eviction are pruned, the latest included, and later keys are whole.',
  ],
  traits: (parameters) => ({
    ...{ decides: 'once', evicts: false, isNested: false, approximates: false },
    ...{ sets: 'layer', cache: 'pruned', positions: 'model' },
    wants: { queriesBefore: largestWindow(parameters) },
  }),
  blocks: (_parameters, tokens, evictAt, context) =>
    blocksAround(evictAt, tokens, defaultChunkTokens(context)),
  start,
  cost(parameters, context, layer, { position, evictAt }) {
    const { keyValueHeads: G, headDimension: d } = context;
    const removed = position >= evictAt ? G * (d - channelsKept(parameters, layer, d)) * evictAt : 0;
    return {
      keptKeys: position + 1,
      selectionOperations: 0,
      readNumbers: 2 * G * d * (position + 1) - removed,
    };
  },
  onceOperations(parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, layer, { evictAt }) {
    if (evictAt === 0 || channelsKept(parameters, layer, d) >= d) return 0;
    const window = Math.min(numberIn(parameters, 'windowTokens', layer), evictAt);
    return 2 * d * (window * H + evictAt * G) + G * d;
  },
  memory(parameters, { layers, tokens, queryHeads: H, keyValueHeads: G, headDimension: d, largestBlock }) {
    const window = Math.min(largestWindow(parameters), tokens);
    return [
      // Those kept while reading, and their spare.
      { label: 'earlier queries', elements: window * H * d, count: 3 * layers },
      { label: 'keys of fewer channels', elements: tokens * G * d, count: layers },
      { label: 'rows by channel', elements: d * (tokens * G + window * H), count: 1 },
      { label: 'products of channels', elements: d * d * (4 * G + H), count: 1 },
      { label: 'output over later keys', elements: largestBlock * H * (d + 1), count: 1 },
    ];
  },
  withBudget: (parameters, _context, keepFraction) =>
    keepFraction >= 1
      ? { parameters: { ...parameters, channelFraction: 1 } }
      : {
          reason: 'ThinK keeps every token: channels of keys make its cache smaller, no kept fraction does.',
        },
};

function start(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, evictAt, headDimension, scores } = context;
  /** Keys before the eviction as they are left, by layer. */
  const pruned = new Map<number, Rows>();
  let marked: ReadonlySet<number> = new Set();
  const release = (layer: number): void => {
    ops.release(pruned.get(layer)!.buffer);
    pruned.delete(layer);
  };
  return {
    notices: evictAt > 0 ? [] : [NOTHING_TO_EVICT],
    select(input) {
      const { layer, block, key } = input;
      const count = channelsKept(parameters, layer, headDimension);
      if (block.start >= evictAt && evictAt > 0 && count < headDimension && !pruned.has(layer)) {
        const earlier = input.queriesBefore(evictAt);
        if (!earlier) throw new Error('think needs the queries before the eviction');
        const window = Math.min(numberIn(parameters, 'windowTokens', layer), evictAt);
        const before = sliceRows(key, 0, evictAt);
        const score = channelScores(ops, sliceRows(earlier, earlier.rows - window, window), before);
        const channels = bestChannels(ops, score, count);
        pruned.set(layer, withChannels(ops, before, channels));
        ops.release(score.buffer, channels.buffer);
      }
      return keepEverything(block.start);
    },
    attend({ layer, block, query, key, value }, _selection, out, logSumExp) {
      const left = block.start >= evictAt ? pruned.get(layer) : undefined;
      const attend = (start: number, keys: Rows, to: { out: Rows; logSumExp: typeof logSumExp }): void => {
        const range = { start: 0, end: keys.rows, causal: start > 0 || !left };
        const values = sliceRows(value, start, keys.rows);
        ops.attention({ query, key: keys, value: values, ...scores, visible: { range }, ...to });
      };
      attend(0, left ?? key, { out, logSumExp });
      if (!left) return;
      const scratch = new Scratch(ops);
      const later = {
        out: scratch.rows(query.heads, query.rows, query.channels, 'output over later keys'),
        logSumExp: scratch.scalars(query.heads, query.rows, 'log-sum-exp of later keys'),
      };
      attend(evictAt, sliceRows(key, evictAt, key.rows - evictAt), later);
      ops.mergeAttention({ into: { out, logSumExp }, from: later });
      scratch.release();
    },
    mark() {
      marked = new Set(pruned.keys());
    },
    rewind() {
      for (const layer of [...pruned.keys()]) if (!marked.has(layer)) release(layer);
    },
    dispose() {
      for (const layer of [...pruned.keys()]) release(layer);
    },
  };
}
