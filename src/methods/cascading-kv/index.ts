/**
 * Cascading KV Cache (arXiv 2406.17808): sub-caches of one size that follow one another; each takes every 2^i-th of the tokens that the one
 * before has no room for, and of two that cannot both go on the one with more attention does (jeffwillette/cascading_kv_cache).
 */
import { equalBlocks } from '../blocks';
import { fractionKeeping } from '../budget';
import type { Method, MethodContext, MethodRun } from '../method';
import { numberIn, type ParameterContext, type Parameters } from '../parameters';
import { positionsByChoice } from '../positions';
import { CascadingCache } from './cache';
import { Filling } from './filling';
import {
  cascadingParameters,
  chunkTokensOf,
  isByFullAttention,
  isInCache,
  isShared,
  roomOf,
  shapeIn,
} from './schema';

/** How the caches of `parameters` fill, by layer: the cost asks for every query. */
const fillings = new WeakMap<Parameters, Map<number, Filling>>();

function fillingOf(parameters: Parameters, layer: number): Filling {
  const known = fillings.get(parameters) ?? new Map<number, Filling>();
  fillings.set(parameters, known);
  // Layers differ where a parameter has a number for each.
  const of = Object.values(parameters).some(Array.isArray) ? layer : 0;
  const filling = known.get(of) ?? new Filling(shapeIn(parameters, of));
  known.set(of, filling);
  return filling;
}

/** The largest of all layers. */
const most = ({ layers }: Pick<ParameterContext, 'layers'>, of: (layer: number) => number): number =>
  Math.max(...Array.from({ length: layers }, (_, layer) => of(layer)));

export const cascadingKv: Method = {
  id: 'cascading-kv',
  title: 'Cascading KV Cache',
  summary:
    'Sub-caches follow one another, each taking fewer of the tokens that leave the one before; of two neighbours the one with more attention goes on.',
  citation: {
    authors: 'Willette, Lee, Lee, Jeon, Hwang',
    year: 2024,
    url: 'https://arxiv.org/abs/2406.17808',
  },
  presets: { paper: { from: 'code' } },
  parameters: cascadingParameters,
  notes: () => [
    'A token is compared with one neighbour alone, when a sub-cache does not take its turn: what stays is thinner the older it is, whatever it scores.',
  ],
  traits: (parameters) => ({
    ...{ decides: 'whileReading', evicts: true, isNested: false, approximates: false },
    ...{ sets: isShared(parameters) ? 'layer' : 'kvHead', cache: 'tokens' },
    positions: positionsByChoice.of(parameters),
    wants: { attended: true, ...(isByFullAttention(parameters) && { logSumExp: true }) },
  }),
  blocks: (parameters, tokens) => equalBlocks(0, tokens, chunkTokensOf(parameters)),
  start,
  /** Probabilities are attention's own unless they are full attention's, which then is there to be computed. */
  cost(parameters, { keyValueHeads, queryHeads, headDimension }, layer, { position, block }) {
    const keptKeys = fillingOf(parameters, layer).heldAfter(block.start) + position + 1 - block.start;
    const isFull = isByFullAttention(parameters);
    const products = isFull ? queryHeads * (2 * headDimension + 3) * (position + 1) : 0;
    const sets = isShared(parameters) ? 1 : keyValueHeads;
    return {
      keptKeys,
      // One comparison for every token that comes.
      selectionOperations: products + queryHeads * keptKeys + sets,
      readNumbers:
        2 * keyValueHeads * headDimension * keptKeys +
        sets * keptKeys +
        (isFull ? keyValueHeads * headDimension * (position + 1 - keptKeys) : 0),
    };
  },
  memory(parameters, place) {
    const { queryHeads: H, keyValueHeads: G, headDimension: d, tokens, layers, largestBlock: n } = place;
    const held = Math.min(
      tokens,
      most(place, (layer) => roomOf(shapeIn(parameters, layer))),
    );
    const all = Math.min(tokens, held + n);
    return [
      // Tokens and scores: held, returned to, and one that is being made.
      { label: 'what is held', elements: 2 * G * held, count: 2 * layers + 1 },
      { label: 'caches of two tokens', elements: 2 * 2 * G * held, count: 1 },
      { label: 'places compared', elements: 2 * tokens, count: layers },
      { label: 'kept keys and their scores', elements: 3 * G * held, count: 1 },
      { label: 'keys that are seen', elements: G * all * d, count: 1 },
      { label: 'queries after the cache', elements: isInCache(parameters) ? H * n * d : 0, count: 1 },
      { label: 'output of a block', elements: H * n * (d + 1), count: 1 },
      { label: 'attention received', elements: (G + 1) * all, count: 1 },
      ...positionsByChoice.memory(parameters, { ...place, tokens: all }),
    ];
  },
  /** The largest power of two that sub-caches can have room for; where everything stays, the first holds it. */
  withBudget(parameters, context, keepFraction) {
    const { tokens } = context;
    if (keepFraction >= 1) return { parameters: { ...parameters, cascadeTokens: tokens } };
    const sinks = most(context, (layer) => numberIn(parameters, 'sinkTokens', layer));
    const cascades = most(context, (layer) => numberIn(parameters, 'cascades', layer));
    const room = Math.floor((Math.floor(keepFraction * tokens) - sinks) / cascades);
    return room >= 1
      ? { parameters: { ...parameters, cascadeTokens: 2 ** Math.floor(Math.log2(room)) } }
      : { floor: fractionKeeping(Math.min(tokens, sinks + cascades), tokens) };
  },
};

function start(context: MethodContext, parameters: Parameters): MethodRun {
  const caches = new Map<number, CascadingCache>();
  let isAsked = false;
  const cacheOf = (layer: number): CascadingCache => {
    const rule = {
      sinkTokens: numberIn(parameters, 'sinkTokens', layer),
      isShared: isShared(parameters),
      isByFullAttention: isByFullAttention(parameters),
      isInCache: isInCache(parameters),
      beta: numberIn(parameters, 'beta', layer),
    };
    const cache =
      caches.get(layer) ?? new CascadingCache(context, rule, fillingOf(parameters, layer), isAsked);
    caches.set(layer, cache);
    return cache;
  };
  return {
    select: (input) => cacheOf(input.layer).selection(input),
    ...positionsByChoice.attend(context, parameters),
    attended: (input, selection, logSumExp) => cacheOf(input.layer).update(input, selection, logSumExp),
    comparisons: {
      remember() {
        isAsked = true;
      },
      of: (layer) => cacheOf(layer).comparisons(),
    },
    mark() {
      for (const cache of caches.values()) cache.mark();
    },
    rewind() {
      for (const cache of caches.values()) cache.rewind();
    },
    dispose() {
      for (const cache of caches.values()) cache.release();
      caches.clear();
    },
  };
}
