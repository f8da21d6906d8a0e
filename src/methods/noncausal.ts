/**
 * Non-causal chunk attention, Compactor's second score (arXiv 2507.08143), as in kvpress (non_causal_attention_press.py): evicts once,
 * by the attention that each key gets from all queries of its chunk, later and earlier.
 */
import { sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, type Scorer, token } from './compose';
import { keepFraction } from './defaults';
import type { Method } from './method';
import { numberIn } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import {
  chunkAttention,
  chunkMemory,
  chunkOperations,
  chunkTokensParameter,
} from './scorers/chunk-attention';
import { checkWindow } from './scorers/observation-window';
import { denseScores } from './units';

const withinChunks: Scorer = {
  name: (parameters, layer) =>
    `noncausal/${numberIn(parameters, 'chunkTokens', layer)}/${numberIn(parameters, 'poolKernel', layer)}`,
  sets: 'kvHead',
  wants: () => ({ queriesBefore: Number.POSITIVE_INFINITY }),
  score({ ops }, parameters, input, tokens) {
    const { layer, key, value } = input;
    const scratch = new Scratch(ops);
    const buffer = ops.scratch('f32', key.heads * tokens, 'scores by chunk attention');
    const score = denseScores(buffer, key.heads, tokens);
    chunkAttention(scratch, {
      ...{ query: input.queriesBefore(tokens)!, key: sliceRows(key, 0, tokens) },
      value: sliceRows(value, 0, tokens),
      chunkTokens: numberIn(parameters, 'chunkTokens', layer),
      poolKernel: numberIn(parameters, 'poolKernel', layer),
      out: score,
    });
    scratch.release();
    return inBuffers(ops, [buffer], { score });
  },
  operations: (parameters, context, tokens, layer) =>
    chunkOperations(context, tokens, numberIn(parameters, 'chunkTokens', layer)),
  memory: (_parameters, place) => chunkMemory(place),
};

export const noncausal: Method = {
  id: 'noncausal',
  title: 'Non-causal chunk attention',
  summary:
    'Keeps the keys that all queries of their chunk attend to, later ones and earlier ones, times the length of their values.',
  citation: { authors: 'Chari, Van Durme', year: 2025, url: 'https://arxiv.org/abs/2507.08143' },
  presets: {
    kvpress: { parameters: { chunkTokens: 256 }, evictAfter: 'context' },
  },
  parameters: {
    keepFraction,
    chunkTokens: chunkTokensParameter,
    poolKernel: {
      kind: 'count',
      label: 'Pooling',
      symbol: 'κ',
      help: 'Width of the mean along the text, an odd number; 1 pools nothing. 3 in kvpress.',
      unit: 'tokens',
      minimum: 1,
      maximum: () => 255,
      isOdd: true,
      default: () => 3,
    },
  },
  notes: () => [
    'kvpress’s variant: products are not scaled by 1/√d, and a last chunk that is short is filled up with zeros, which take part: they flatten its attention.',
  ],
  validate: (parameters) => checkWindow('noncausal', parameters),
  ...compose({
    ...{ scorer: withinChunks, budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
