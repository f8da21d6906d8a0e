/** Keys kept at random: the floor that a method has to beat. Larger fractions keep what smaller ones kept. */
import { evictOnceBudget } from './budget';
import { keepFraction, positions, positionsByChoice } from './defaults';
import { denseScores, evictOnce, evictOnceBlocks, evictOnceCost } from './evict-once';
import type { Method } from './method';
import { numberIn } from './parameters';
import { inBuffers } from './remember';

export const random: Method = {
  id: 'random',
  title: 'Random',
  summary: 'Keeps keys at random, drawn once per layer and KV head.',
  citation: null,
  family: 'evict-once',
  sets: 'kvHead',
  needs: { unrotated: false, fullAttention: false },
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
  evictsOnce: () => true,
  positions: positionsByChoice,
  blocks: evictOnceBlocks,
  start: (context, parameters) =>
    evictOnce(context, parameters, {
      name: (layer) => `random/${numberIn(parameters, 'seed', layer)}`,
      score({ ops }, { layer, key }, tokens) {
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
      candidates: (_layer, tokens) => ({ start: 0, end: tokens }),
    }),
  cost: evictOnceCost(() => 0),
  withBudget: evictOnceBudget,
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
