/** Keys kept at random: the floor that a method has to beat. Larger fractions keep what smaller ones kept. */
import { uniformAtEviction } from './budgets/uniform';
import { compose, type Scorer, token } from './compose';
import { keepFraction } from './defaults';
import { drawn } from './drawn';
import type { Method } from './method';
import { numberIn } from './parameters';
import { positions, positionsByChoice } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { denseScores } from './units';

/** A number that token, head, layer and seed draw. */
const lot: Scorer = {
  name: (parameters, layer) => `random/${numberIn(parameters, 'seed', layer)}`,
  sets: 'kvHead',
  score({ ops }, parameters, { layer, key }, tokens) {
    const seed = numberIn(parameters, 'seed', layer);
    const scores = new Float32Array(key.heads * tokens);
    for (let head = 0; head < key.heads; head++) {
      for (let token = 0; token < tokens; token++) {
        scores[head * tokens + token] = drawn(seed, layer, head, token);
      }
    }
    const buffer = ops.upload(scores, 'random scores');
    return inBuffers(ops, [buffer], { score: denseScores(buffer, key.heads, tokens) });
  },
  decidedBy: 'lot',
  operations: () => 0,
};

export const random: Method = {
  id: 'random',
  title: 'Random',
  summary: 'Keeps keys at random, drawn once per layer and KV head.',
  does: 'baseline',
  citation: null,
  presets: {
    kvpress: { evictAfter: 'context' },
  },
  parameters: {
    keepFraction,
    seed: {
      kind: 'count',
      label: 'Seed',
      help: 'Another seed draws other keys.',
      unit: '',
      minimum: 0,
      maximum: () => 2 ** 32 - 1,
      default: () => 1,
    },
    positions,
  },
  ...compose({
    scorer: lot,
    budget: uniformAtEviction,
    unit: token,
    schedule: once,
    positions: positionsByChoice,
  }),
};
