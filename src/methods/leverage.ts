/**
 * Leverage scores of keys, Compactor's first score (arXiv 2507.08143), as in kvpress (leverage_press.py): evicts once, by how far a key
 * stands out of the others before rotation.
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
  leverageMemory,
  leverageOperations,
  sketchedLeverage,
  sketchName,
  sketchParameters,
  unrotatedKeys,
} from './scorers/sketched-leverage';
import { denseScores } from './units';

const ID = 'leverage';

const byLeverage: Scorer = {
  name: (parameters, layer) =>
    `leverage/${sketchName(parameters, layer)}/${numberIn(parameters, 'ridge', layer)}`,
  sets: 'kvHead',
  wants: () => ({ unrotated: true }),
  score(context, parameters, input, tokens) {
    const { ops, keyValueHeads: G } = context;
    const { layer } = input;
    const scratch = new Scratch(ops);
    const buffer = ops.scratch('f32', G * tokens, 'leverage of keys');
    const score = denseScores(buffer, G, tokens);
    const key = sliceRows(unrotatedKeys(ID, input), 0, tokens);
    const ridge = numberIn(parameters, 'ridge', layer);
    sketchedLeverage(scratch, ID, context, parameters, layer, key, ridge, score);
    scratch.release();
    return inBuffers(ops, [buffer], { score });
  },
  operations: (parameters, context, tokens, layer) =>
    leverageOperations(context, tokens, numberIn(parameters, 'sketchDim', layer)),
  memory: leverageMemory,
};

export const leverage: Method = {
  id: ID,
  title: 'Leverage scores',
  summary: 'Keeps the keys that stand out of the others, seen along random directions; looks at no query.',
  citation: { authors: 'Chari, Van Durme', year: 2025, url: 'https://arxiv.org/abs/2507.08143' },
  presets: {
    kvpress: { parameters: { sketchDim: 48 }, evictAfter: 'context' },
  },
  parameters: {
    keepFraction,
    ridge: {
      kind: 'fraction',
      label: 'Ridge',
      help: 'Added to the squared length along every direction, so that few keys do not all stand out. 0.01 in kvpress.',
      unit: '',
      minimum: 1e-6,
      maximum: 100,
      default: () => 0.01,
    },
    ...sketchParameters,
  },
  notes: () => [
    'kvpress’s variant, solved by Cholesky factors; the directions are random, drawn from the seed, so that another seed may keep other keys.',
  ],
  ...compose({
    ...{ scorer: byLeverage, budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
