/** What `compose` makes of its parts, by hand-made scores. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureCost } from '../../src/measure/cost';
import { selectAll } from '../../src/measure/select-all';
import { visibleTokens } from '../../src/measure/selection-reader';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { uniformAtEviction } from '../../src/methods/budgets/uniform';
import { compose, type Scorer } from '../../src/methods/compose';
import { keepFraction } from '../../src/methods/defaults';
import type { Method } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import { inText } from '../../src/methods/positions';
import { inBuffers } from '../../src/methods/remember';
import { once } from '../../src/methods/schedules/once';
import { denseScores } from '../../src/methods/units';
import { randomLayers, recordText } from './recorded';

const shape = { tokens: 11, queryHeads: 2, keyValueHeads: 2, headDimension: 4 };
const ops = createCpuOps();
const text = recordText(ops, shape, randomLayers(shape, 2, 3));

/** Scores of ten tokens, the same for both heads but for their order. */
const SCORES = [1, 1, 1, 9, 0, 0, 5, 5, 5, 6];
const given: Scorer = {
  name: () => 'given',
  sets: 'kvHead',
  score({ ops }, _parameters, _input, tokens) {
    const rows = [SCORES, [...SCORES].reverse()].flatMap((row) => row.slice(0, tokens));
    const buffer = ops.upload(Float32Array.from(rows), 'given scores');
    return inBuffers(ops, [buffer], { score: denseScores(buffer, 2, tokens) });
  },
  operations: () => 0,
};

const chunked = (unitTokens: number, units: number): Method => ({
  id: 'chunked',
  title: 'Chunked',
  summary: 'Keeps chunks by hand-made scores.',
  citation: null,
  parameters: { keepFraction },
  ...compose({
    scorer: given,
    budget: { ...uniformAtEviction, count: () => units },
    unit: { tokens: () => unitTokens },
    schedule: once,
    positions: inText,
  }),
});

async function kept(method: Method): Promise<number[][]> {
  const parameters = resolveParameters(method, {}, contextOf(text));
  const before = ops.memory().bytes;
  const { after } = await selectAll({
    text,
    method,
    parameters,
    traceIndex: 0,
    evictAt: 10,
    withScores: true,
  });
  expect(ops.memory().bytes, 'nothing is held afterwards').toBe(before);
  return after.kept.sets.map((_, set) => [...visibleTokens(after.kept, set, 10)]);
}

describe('chunks that are kept whole', () => {
  // Means of chunks of four: 3, 2.5 and, of the short last one, 5.5; from behind 5.25, 2.5, 1.
  it.each([
    [1, [8, 9], [0, 1, 2, 3]],
    [2, [0, 1, 2, 3, 8, 9], [0, 1, 2, 3, 4, 5, 6, 7]],
    [3, [...SCORES.keys()], [...SCORES.keys()]],
  ])('%i of three', async (units, first, second) => {
    expect(await kept(chunked(4, units))).toEqual([first, second]);
  });
});

describe('adakv, one number per layer', () => {
  const method = methodById('adakv');
  const resolve = (more: object) =>
    resolveParameters(
      method,
      { keepFraction: 0.5, windowTokens: 1, poolKernel: 1, ...more },
      contextOf(text),
    );
  const lengths = async (floorFraction: number[]): Promise<number[][]> => {
    const all: number[][] = [];
    for (const traceIndex of [0, 1]) {
      const { after } = await selectAll({
        ...{ text, method, parameters: resolve({ floorFraction }), traceIndex, evictAt: 10 },
        withScores: false,
      });
      all.push(after.kept.sets.map((_, set) => visibleTokens(after.kept, set, 10).length));
    }
    return all;
  };

  it('keeps the floor of the layer that it decides for', async () => {
    const [low, lowToo] = await lengths([0, 0]);
    // A floor of the whole mean leaves nothing to share out.
    expect(await lengths([1, 1])).toEqual([
      [5, 5],
      [5, 5],
    ]);
    expect([low, lowToo]).not.toEqual([
      [5, 5],
      [5, 5],
    ]);
    expect(await lengths([0, 1])).toEqual([low, [5, 5]]);
    expect(await lengths([1, 0])).toEqual([[5, 5], lowToo]);
  });

  it('costs the window and the pooling of each layer', () => {
    const of = (windowTokens: number[], poolKernel: number[], layers?: number[]) =>
      measureCost({
        method,
        parameters: resolve({ windowTokens, poolKernel }),
        context: contextOf(text),
        queries: { start: 10, end: 11 },
        answerStart: null,
        weightOperations: 0,
        ...(layers ? { layers } : {}),
      }).onceOperations;
    // By hand: w queries × 2 heads × (19 of each of 10 keys + 11 of each before the window), 2 KV heads × keys × (1 + κ).
    const byHand = (w: number, k: number): number =>
      w * 2 * (19 * 10 + 11 * (10 - w)) + 2 * (10 - w) * (1 + k);
    expect(of([1, 4], [3, 5], [0])).toBe(byHand(1, 3));
    expect(of([1, 4], [3, 5], [1])).toBe(byHand(4, 5));
    expect(of([1, 4], [3, 5])).toBe(byHand(1, 3) + byHand(4, 5));
  });
});
