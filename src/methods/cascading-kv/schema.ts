/** Parameters of Cascading KV Cache (arXiv 2406.17808; jeffwillette/cascading_kv_cache, cascade/models/cascading_cache.py). */
import { chunkTokensDefault, mostTokens, scaledDefault } from '../defaults';
import { choiceOf, isOn, numberIn, type ParameterSchemas, type Parameters } from '../parameters';
import { positions } from '../positions';
import type { Shape } from './filling';

/** Sub-caches whose turns are still counted exactly, where the last takes every 4^15th token. */
const MOST_CASCADES = 16;

export const cascadingParameters: ParameterSchemas = {
  sinkTokens: {
    kind: 'count',
    label: 'Sink tokens',
    symbol: 'n_sink',
    help: 'First tokens of the text, always kept.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: () => 4,
    paper: 64,
  },
  cascades: {
    kind: 'count',
    label: 'Sub-caches',
    symbol: 'N',
    help: 'Caches that follow one another: what the first has no room for goes on to the second, which takes every other.',
    unit: 'caches',
    minimum: 1,
    maximum: () => MOST_CASCADES,
    default: () => 4,
    paper: 4,
  },
  cascadeTokens: {
    kind: 'count',
    label: 'Tokens of each',
    symbol: 'W',
    help: 'Tokens that each sub-cache has room for. The code wants a power of two, and is given N·W as max_seq_len.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(16, 8, 512),
    paper: 512,
  },
  chunkTokens: {
    kind: 'count',
    label: 'Block of queries',
    help: 'Tokens of the prompt that are read at a time, and then go into the cache one by one; the code calls it cascade_stride.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...chunkTokensDefault,
    // All layers read a block together.
    isSameInAllLayers: true,
  },
  eagerFill: {
    kind: 'choice',
    idleWhere: { cascades: [1] },
    label: 'Filling',
    help: 'Whether every sub-cache takes all that comes until as many tokens have come as the cache has room for.',
    options: [
      {
        value: true,
        label: 'at once',
        help: 'Nothing is dropped before the cache is full; eager_fill in the code.',
      },
      {
        value: false,
        label: 'in turn',
        help: 'Sub-caches keep to their turns from the start, and fill slowly.',
      },
    ],
    default: () => true,
    paper: true,
  },
  schedule: {
    kind: 'choice',
    idleWhere: { cascades: [1] },
    label: 'Turns',
    help: 'Which tokens sub-cache i takes, counted from 0; the code calls it cascade_func.',
    options: [
      { value: 'pow2', label: '2^i', help: 'Every 2^i-th.' },
      { value: 'pow3', label: '3^i', help: 'Every 3^i-th.' },
      { value: 'pow4', label: '4^i', help: 'Every 4^i-th.' },
      { value: 'iplus1', label: 'i + 1', help: 'Every (i + 1)-th.' },
    ],
    default: () => 'pow2',
    paper: 'pow2',
  },
  headReduction: {
    kind: 'choice',
    label: 'Heads',
    help: 'Over which query heads the attention that a key gets is averaged, and so who shares a cache.',
    options: [
      { value: 'mean', label: 'of a KV head', help: 'Each KV head has a cache of its own.' },
      {
        value: 'homogeneous',
        label: 'of the layer',
        help: 'All heads of a layer keep the same tokens; homogeneous_heads in the code.',
      },
    ],
    default: () => 'mean',
    paper: 'mean',
  },
  beta: {
    kind: 'fraction',
    idleWhere: { cascades: [1] },
    label: 'Fading',
    symbol: 'β',
    help: 'What a score is multiplied by with every query that follows. The nearer to 1, the more it is a plain mean over all queries.',
    minimum: 0.5,
    maximum: 0.9999999,
    unit: '',
    default: () => 0.9999999,
    paper: 0.9999,
  },
  score: {
    kind: 'choice',
    label: 'Attention',
    help: 'Which attention the scores average.',
    options: [
      {
        value: 'own',
        label: 'over the cache',
        help: 'What queries give to the keys that the cache still holds.',
      },
      { value: 'captured', label: 'full', help: 'What they would give them if no key had been dropped.' },
    ],
    default: () => 'own',
    paper: 'own',
  },
  positions: { ...positions, paper: 'cache' },
};

/** Every how many tokens sub-cache i takes one. */
const turns: Readonly<Record<string, (cascade: number) => number>> = {
  pow2: (i) => 2 ** i,
  pow3: (i) => 3 ** i,
  pow4: (i) => 4 ** i,
  iplus1: (i) => i + 1,
};

export function shapeIn(parameters: Parameters, layer: number): Shape {
  const every = turns[choiceOf(parameters, 'schedule')]!;
  return {
    sinkTokens: numberIn(parameters, 'sinkTokens', layer),
    cascadeTokens: numberIn(parameters, 'cascadeTokens', layer),
    every: Array.from({ length: numberIn(parameters, 'cascades', layer) }, (_, i) => every(i)),
    isEager: isOn(parameters, 'eagerFill'),
  };
}

/** Tokens that a layer's cache has room for. */
export const roomOf = ({ sinkTokens, every, cascadeTokens }: Shape): number =>
  sinkTokens + every.length * cascadeTokens;

export const isShared = (parameters: Parameters): boolean =>
  choiceOf(parameters, 'headReduction') === 'homogeneous';
export const isByFullAttention = (parameters: Parameters): boolean =>
  choiceOf(parameters, 'score') === 'captured';
export const isInCache = (parameters: Parameters): boolean => choiceOf(parameters, 'positions') === 'cache';
export const chunkTokensOf = (parameters: Parameters): number => numberIn(parameters, 'chunkTokens', 0);
