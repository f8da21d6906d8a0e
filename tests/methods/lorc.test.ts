import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureCost } from '../../src/measure/cost';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { lorc } from '../../src/methods/lorc';
import { plannedRanks, rankByCondition } from '../../src/methods/lorc/schema';
import { conditionNumber, singularParts } from '../../src/methods/lorc/truncated-svd';
import { resolveParameters } from '../../src/methods/parameters';
import { draw, lcg } from '../golden/lcg';
import { randomLayers, recordText } from './recorded';

function finish<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

const partsOf = (weight: Float32Array, outputs: number) =>
  finish(singularParts(weight, outputs, weight.length / outputs, 'it does not settle'));

/** The first `rank` terms of Σ u_i (u_iᵀ W). */
function cutTo(rank: number, { left, right }: ReturnType<typeof partsOf>, outputs: number): Float64Array {
  const inputs = right.length / outputs;
  const out = new Float64Array(right.length);
  for (let i = 0; i < rank; i++) {
    for (let row = 0; row < outputs; row++) {
      for (let c = 0; c < inputs; c++)
        out[row * inputs + c]! += left[i * outputs + row]! * right[i * inputs + c]!;
    }
  }
  return out;
}

const squares = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((sum, value) => sum + value * value, 0);

describe('singular parts', () => {
  const [outputs, inputs] = [12, 30];
  const weight = draw(lcg(7), outputs * inputs);
  const parts = partsOf(weight, outputs);

  it('lose at rank r just the squares of the singular values beyond r, and nothing at full rank', () => {
    for (const rank of [1, 5, 11, 12]) {
      const cut = cutTo(rank, parts, outputs);
      const lost = squares(weight.map((value, i) => value - cut[i]!));
      const beyond = squares(parts.values.subarray(rank));
      expect(Math.abs(lost - beyond)).toBeLessThan(1e-9 * squares(weight) + 1e-4 * beyond);
    }
  });

  it('descend, and their squares are the matrix’s', () => {
    expect([...parts.values]).toEqual([...parts.values].sort((a, b) => b - a));
    expect(squares(parts.values)).toBeCloseTo(squares(weight), 6);
  });

  it('of a matrix of rank 1 and of zeros are finite, and so is their condition number', () => {
    const single = Float32Array.from({ length: 40 }, (_, i) => (1 + (i % 10)) * (1 + Math.floor(i / 10)));
    const { values } = partsOf(single, 4);
    expect(values[0]).toBeCloseTo(Math.sqrt(385 * 30), 4);
    expect(values[1]! / values[0]!).toBeLessThan(1e-7);
    expect(conditionNumber(values)).toBe(2 ** 23);
    expect(conditionNumber(partsOf(new Float32Array(40), 4).values)).toBe(1);
  });
});

describe('ranks', () => {
  it('by condition numbers fall from the largest in the first layer to the smallest in the last', () => {
    const conditions = [24.349, 24.9665, 28.1574];
    const ranks = conditions.map((_, layer) => rankByCondition(conditions, layer, { most: 32, least: 8 }));
    expect(ranks).toEqual([32, 20, 8]);
    // A layer that amplifies nothing leaves the rank where the next has it.
    expect([0, 1, 2].map((layer) => rankByCondition([50, 1, 50], layer, { most: 30, least: 10 }))).toEqual([
      30, 10, 10,
    ]);
    expect(rankByCondition([1, 1], 1, { most: 30, least: 10 })).toBe(30);
  });

  const context = {
    ...{ tokens: 100, trainedTokens: null, layers: 3, queryHeads: 4, keyValueHeads: 2, headDimension: 16 },
  };
  const resolve = (given: Record<string, unknown>) => resolveParameters(lorc, given, context);

  it('are planned without weights as of layers that are all alike', () => {
    const parameters = resolve({ rule: 'cumulative-condition', maxRank: 32, minRank: 8 });
    expect([0, 1, 2].map((layer) => plannedRanks(parameters, 3, layer).key)).toEqual([32, 20, 8]);
  });

  it('end at G·d, and the smallest is none above the largest', () => {
    expect(() => resolve({ keyRanks: 33 })).toThrow(/keyRanks must be a whole number from 1 to 32/);
    expect(() => resolve({ rule: 'cumulative-condition', maxRank: 8, minRank: 9 })).toThrow(
      'lorc: minRank 9 is more than maxRank 8; lower it.',
    );
  });

  it('cost what making keys and values of latents takes, and read latents', () => {
    const query = { position: 99, block: { start: 90, end: 100 }, evictAt: 90, promptEnd: 100 };
    const costOf = (given: Record<string, unknown>) => lorc.cost(resolve(given), context, 0, query);
    expect(costOf({ keyRanks: 16, valueRanks: 24 })).toEqual({
      keptKeys: 100,
      selectionOperations: (2 * 40 * 32 * 100) / 10,
      readNumbers: 40 * 100,
    });
    expect(costOf({ keyRanks: 16, valueRanks: 32 })).toMatchObject({
      selectionOperations: (2 * 16 * 32 * 100) / 10,
      readNumbers: 48 * 100,
    });
    const { decodeReadBytes, decodeReadBytesFull, density } = measureCost({
      ...{
        method: lorc,
        parameters: resolve({ keyRanks: 16, valueRanks: 16 }),
        context,
        weightOperations: 0,
      },
      ...{ queries: { start: 90, end: 100 }, answerStart: null },
    });
    expect([density, decodeReadBytes / decodeReadBytesFull]).toEqual([1, 0.5]);
  });

  it('are no kept fraction', () => {
    const places = { evictAt: 90, answerStart: null };
    expect(lorc.withBudget(resolve({}), context, 0.5, places)).toMatchObject({
      reason: expect.stringMatching(/keeps every token/),
    });
    expect(lorc.withBudget(resolve({}), context, 1, places)).toEqual({ parameters: resolve({}) });
  });
});

it('is refused on a capture, which has neither hidden states nor weights', async () => {
  const shape = { tokens: 20, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
  const text = recordText(createCpuOps(), shape, randomLayers(shape, 1, 5));
  const run = startTraceRun(text, lorc, resolveParameters(lorc, {}, contextOf(text)), 20);
  await expect(run).rejects.toThrow(
    'lorc needs the hidden states that keys and values are made from, which layer 0 of this source lacks; a capture has none, so choose another method or run the model.',
  );
});
