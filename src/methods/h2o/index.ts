/**
 * H2O, Heavy-Hitter Oracle (arXiv 2306.14048), real drop: every query head keeps the tokens that have received most attention, and the
 * last ones; what is dropped is gone (h2o_hf/utils_real_drop/modify_llama.py, H2OKVCache_LayerWise, on keys repeated for every head).
 */
import { MOST_PRODUCTS } from '../../../gpu/operations/heavy-hitters/op';
import type { DeviceBuffer } from '../../../gpu/rows';
import { equalBlocks, MOST_SCORES_OF_PASS } from '../blocks';
import type { Method, MethodContext, MethodRun, QueryPlace } from '../method';
import { choiceOf, numberIn, type ParameterContext, type Parameters } from '../parameters';
import { positionsByChoice } from '../positions';
import { HeavyHitters, type Room, STATES_AHEAD } from './heavy-hitters';
import { h2oParameters } from './schema';

const isInCache = (parameters: Parameters): boolean => choiceOf(parameters, 'positions') === 'cache';

const roomIn = (parameters: Parameters, layer: number): Room => ({
  heavyTokens: numberIn(parameters, 'heavyTokens', layer),
  recentTokens: numberIn(parameters, 'recentTokens', layer),
  isInCache: isInCache(parameters),
});

/** Tokens of the first block: layers that differ read the same, the shortest. */
function prefillTokens(parameters: Parameters, { layers }: Pick<ParameterContext, 'layers'>): number {
  const all = Array.from({ length: layers }, (_, layer) => numberIn(parameters, 'prefillTokens', layer));
  return Math.min(...all);
}

/** Keys that a query sees, and how many there is room for. */
function seen(parameters: Parameters, context: ParameterContext, layer: number, query: QueryPlace) {
  const { heavyTokens, recentTokens } = roomIn(parameters, layer);
  const room = heavyTokens + recentTokens;
  const { position, promptEnd } = query;
  const isFirst = position < Math.min(prefillTokens(parameters, context), promptEnd);
  return { room, recentTokens, isFirst, keptKeys: isFirst ? position + 1 : Math.min(position, room) + 1 };
}

export const h2o: Method = {
  id: 'h2o',
  title: 'H2O',
  summary: 'Keeps, for every query head, the tokens that have received most attention so far and the latest.',
  citation: {
    authors: 'Zhang, Sheng, Zhou, Chen, Zheng, Cai, Song, Tian, Ré, Barrett, Wang, Chen',
    year: 2023,
    url: 'https://arxiv.org/abs/2306.14048',
  },
  presets: { paper: { from: 'code' } },
  parameters: h2oParameters,
  notes: () => [
    'Read token by token after the first block, as its authors’ streaming code does: slow on long texts. Earlier tokens have been seen by more queries, and rank higher for it.',
  ],
  traits: (parameters) => ({
    ...{ decides: 'whileReading', evicts: true, isNested: false, approximates: false },
    ...{ sets: 'queryHead', cache: 'tokens', positions: positionsByChoice.of(parameters) },
    wants: { attended: true },
  }),
  blocks(parameters, tokens, _evictAt, context) {
    const first = Math.min(tokens, prefillTokens(parameters, context));
    return [...equalBlocks(0, first, Math.max(1, first)), ...equalBlocks(first, tokens, 1)];
  },
  start,
  /** The probabilities are attention's own: adding them up and comparing the sums is all there is to do. */
  cost(parameters, context, layer, query) {
    const { keyValueHeads, queryHeads, headDimension } = context;
    const { room, recentTokens, isFirst, keptKeys } = seen(parameters, context, layer, query);
    const isCut = !isFirst && query.position > room;
    // Heads that share a KV head may have kept the same keys, which are there once: at most all of them are.
    const held = isCut ? Math.min((queryHeads / keyValueHeads) * keptKeys, query.position + 1) : keptKeys;
    return {
      keptKeys,
      selectionOperations: queryHeads * (keptKeys + (isCut ? keptKeys - recentTokens : 0)),
      readNumbers: 2 * keyValueHeads * headDimension * held + queryHeads * keptKeys,
    };
  },
  memory(parameters, place) {
    const { queryHeads, headDimension, tokens, layers, largestBlock, isFreeRun } = place;
    const rooms = Array.from({ length: layers }, (_, layer) => roomIn(parameters, layer));
    const most = Math.max(...rooms.map(({ heavyTokens, recentTokens }) => heavyTokens + recentTokens + 1));
    const room = Math.min(tokens, most);
    const first = prefillTokens(parameters, place);
    const queriesOfPass = Math.min(tokens, Math.floor(MOST_SCORES_OF_PASS / first));
    // One pass has a state for every query.
    const pass = [
      { label: 'keys that queries see', elements: queryHeads * room * queriesOfPass, count: 1 },
      { label: 'what stayed', elements: 2 * queryHeads * room * (queriesOfPass + 1), count: 1 },
      {
        label: 'products with all keys',
        elements: Math.min(MOST_PRODUCTS, queryHeads * queriesOfPass * tokens),
        count: 1,
      },
    ];
    return [
      // Tokens and what they received: held, held before and returned to, each with what follows.
      { label: 'what stays', elements: 2 * queryHeads * room, count: 3 * layers * (1 + STATES_AHEAD) },
      ...(isFreeRun ? [] : pass),
      { label: 'caches of two queries', elements: 2 * 2 * queryHeads * (room + 1), count: 1 },
      // Sums of the first block come once.
      { label: 'attention received', elements: queryHeads * Math.max(room, largestBlock), count: 1 },
      { label: 'output of a block', elements: queryHeads * largestBlock * headDimension, count: 1 },
      { label: 'keys that are seen', elements: queryHeads * room * headDimension, count: 1 },
      ...positionsByChoice.memory(parameters, { ...place, tokens: room, keyValueHeads: queryHeads }),
    ];
  },
  withBudget(parameters, { tokens }, keepFraction) {
    const kept = Math.floor(keepFraction * tokens);
    const heavyTokens = Math.floor(kept / 2);
    return { parameters: { ...parameters, heavyTokens, recentTokens: kept - heavyTokens } };
  },
};

function start(context: MethodContext, parameters: Parameters): MethodRun {
  const { ops, totalTokens } = context;
  const layers = new Map<number, HeavyHitters>();
  let counting: DeviceBuffer | null = null;
  const upTo = (length: number): DeviceBuffer => {
    if (counting && counting.length >= length) return counting;
    if (counting) ops.release(counting);
    const most = Math.max(totalTokens, Math.ceil(1.25 * length));
    counting = ops.upload(
      Uint32Array.from({ length: most }, (_, i) => i),
      'numbers of tokens',
    );
    return counting;
  };
  const layerOf = (layer: number): HeavyHitters => {
    const cache = layers.get(layer) ?? new HeavyHitters(context, roomIn(parameters, layer), { upTo });
    layers.set(layer, cache);
    return cache;
  };
  return {
    select: (input) => layerOf(input.layer).selection(input),
    each: { select: (input) => layerOf(input.layer).selections(input) },
    ...positionsByChoice.attend(context, parameters),
    attended: (input, selection, logSumExp) => layerOf(input.layer).update(input, selection, logSumExp),
    mark() {
      for (const layer of layers.values()) layer.mark();
    },
    rewind() {
      for (const layer of layers.values()) layer.rewind();
    },
    dispose() {
      for (const layer of layers.values()) layer.release();
      layers.clear();
      if (counting) ops.release(counting);
      counting = null;
    },
  };
}
