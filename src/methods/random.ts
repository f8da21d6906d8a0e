/** Keys kept at random: the floor that a method has to beat. Larger fractions keep what smaller ones kept. */
import { uniformAtEviction } from './budgets/uniform';
import { compose, type Scorer, token } from './compose';
import { keepFraction } from './defaults';
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
        scores[head * tokens + token] = randomScore(seed, layer, head, token);
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

/** A number in [0, 1) that depends on all four and nothing else; 24 bits, so that it is the same as a 32-bit float. */
function randomScore(seed: number, layer: number, head: number, token: number): number {
  let state = mix(seed);
  for (const part of [layer, head, token]) state = mix((state ^ part) + 0x9e3779b9);
  return (state >>> 8) / 2 ** 24;
}

/** murmur3's finalizer: every bit of the input reaches every bit of the result. */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
