/**
 * KVzip (arXiv 2505.23416) as in kvpress (kvzip_press.py): the model repeats the context chunk by chunk, and of all heads together the
 * keys stay that it looks at for that.
 */
import { blocksAround } from '../blocks';
import { keptLists } from '../compose';
import { defaultChunkTokens, keepFraction, mostTokens } from '../defaults';
import type { Method } from '../method';
import { isOn, numberIn, type ParameterContext, type Parameters } from '../parameters';
import { keptIn, keptOver, withRoundedFraction } from './budget';
import { startKvzip } from './run';

export const kvzip: Method = {
  id: 'kvzip',
  title: 'KVzip',
  summary: 'Keeps, over all heads together, the keys that the model looks at when it repeats the text.',
  citation: {
    authors: 'Kim, Kim, Kwon, Lee, Yun, Song',
    year: 2025,
    url: 'https://arxiv.org/abs/2505.23416',
  },
  presets: {
    kvpress: {
      parameters: { chunkTokens: 2048, sinkTokens: 4, layerwise: false, normalize: false },
      evictAfter: 'context',
    },
  },
  parameters: {
    keepFraction: {
      ...keepFraction,
      help: 'Keys that stay, as a fraction of the tokens before the eviction, mean over all heads. kvpress gives the fraction removed and calls it compression_ratio.',
    },
    chunkTokens: {
      kind: 'count',
      isSameInAllLayers: true,
      label: 'Chunk',
      help: 'Tokens that are repeated in one go, and compared with themselves and the first ones alone. kvpress calls it chunk_size.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      default: () => 2048,
    },
    sinkTokens: {
      kind: 'count',
      isSameInAllLayers: true,
      label: 'Sink tokens',
      help: 'First tokens, which stay and which every chunk is compared with. kvpress calls them n_sink.',
      unit: 'tokens',
      minimum: 0,
      maximum: mostTokens,
      default: () => 4,
    },
    layerwise: {
      kind: 'choice',
      label: 'Budget',
      help: 'Which heads share one.',
      options: [
        { value: false, label: 'of all layers', help: 'Layers, too, keep as many as they need.' },
        { value: true, label: 'by layer', help: 'Every layer keeps as many, shared out among its heads.' },
      ],
      default: () => false,
    },
    normalize: {
      kind: 'choice',
      label: 'Score',
      help: 'What is compared.',
      options: [
        { value: false, label: 'attention', help: 'KVzip.' },
        {
          value: true,
          label: 'what it writes',
          help: 'KVzip+: attention times the length of what the value writes, by the length of the hidden state that it is written to.',
        },
      ],
      default: () => false,
    },
    repeatIds: {
      kind: 'table',
      label: 'Repetitions',
      help: 'Token ids of every chunk’s repetition, the words that ask for it among them; left out, words as in kvpress and the chunk.',
      unit: 'an id',
      isWhole: true,
      minimum: 0,
      maximum: 2 ** 31 - 1,
      row: 'chunk',
      column: 'token',
      shape: () => ({ rows: null, columns: null }),
      default: () => [],
      defaultRule: 'none: words and the chunk',
    },
  },
  notes: () => [
    'The text is read a second time. Cost counts that reading’s attention and the scores, not the model’s matrices; measured times count none of it.',
  ],
  traits: () => ({
    ...{ decides: 'once', evicts: true, isNested: false, approximates: false },
    ...{ sets: 'kvHead', cache: 'tokens', positions: 'model', wants: { rereading: true } },
  }),
  blocks: (_parameters, tokens, evictAt, context) =>
    blocksAround(evictAt, tokens, defaultChunkTokens(context)),
  start: startKvzip,
  cost(parameters, context, layer, { position, evictAt }) {
    const { keyValueHeads: G, headDimension: d } = context;
    const isAfter = position >= evictAt && evictAt > 0;
    const kept = keptOnAverage(parameters, context, layer, evictAt);
    const keptKeys = isAfter ? kept + position + 1 - evictAt : position + 1;
    return {
      keptKeys,
      selectionOperations: 0,
      readNumbers: 2 * G * d * keptKeys,
    };
  },
  onceOperations(parameters, context, layer, { evictAt }) {
    const { queryHeads: H, headDimension: d } = context;
    if (keptOnAverage(parameters, context, layer, evictAt) >= evictAt) return 0;
    const chunk = Math.min(numberIn(parameters, 'chunkTokens', layer), evictAt);
    // Every token is repeated once: behind all and what was repeated of its chunk; then it is compared with its chunk.
    const repeated = evictAt * (evictAt + (chunk + 1) / 2) * H * (4 * d + 3);
    const compared = evictAt * chunk * H * (2 * d + 2);
    return repeated + compared;
  },
  memory(parameters, place) {
    const { layers, keyValueHeads: G, queryHeads: H, headDimension: d, hiddenSize: D, tokens } = place;
    const chunk = Math.min(numberIn(parameters, 'chunkTokens', 0), tokens);
    // Words that ask for a repetition are few beside a chunk.
    const capacity = tokens + chunk + 64;
    const rows = Math.min(chunk + 64, Math.max(1, Math.floor(2 ** 21 / D)));
    const parts = Math.ceil((chunk + 64) / rows);
    return [
      ...keptLists(place, layers),
      { label: 'keys and values of the second reading', elements: capacity * G * d, count: 2 * layers + 1 },
      { label: 'states of the second reading', elements: rows * D, count: 2 },
      { label: 'queries of the second reading', elements: rows * H * d, count: 4 },
      // As wide as such models have it.
      { label: 'feed-forward of the second reading', elements: rows * 4 * D, count: 2 },
      { label: 'attention while repeating', elements: parts * layers * H * tokens, count: 2 },
      { label: 'products of a head', elements: Math.min(2 ** 23, chunk * rows), count: 1 },
    ];
  },
  withBudget: withRoundedFraction,
};

/** Keys before the eviction that a head keeps, mean over those that share a budget: a layer's, or all. */
function keptOnAverage(
  parameters: Parameters,
  context: ParameterContext,
  layer: number,
  evictAt: number,
): number {
  const { layers, keyValueHeads: G } = context;
  return isOn(parameters, 'layerwise')
    ? keptIn(parameters, context, layer, evictAt) / G
    : keptOver(parameters, context, evictAt) / (layers * G);
}
