import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { orderOf } from '../../src/measure/nested-lists';
import { lcg } from '../golden/lcg';

const ops = createCpuOps();

/** What the operation that methods select with keeps. */
async function topK(score: Float32Array, secondary: Float32Array | null, count: number): Promise<number[]> {
  const rows = (data: Float32Array) => ({
    buffer: ops.upload(data, 'scores'),
    offset: 0,
    rows: 1,
    length: data.length,
    rowStride: data.length,
  });
  const buffer = ops.allocate('u32', count, 'kept');
  const out = { buffer, offset: 0, sets: 1, count, rowStride: count };
  ops.topK({
    score: rows(score),
    ...(secondary ? { secondary: rows(secondary) } : {}),
    count,
    indexBase: 0,
    out,
  });
  return [...(await ops.readIntegers(buffer))];
}

describe('lists of one order', () => {
  it.each([
    ['scores that tie often', 7, false],
    ['scores that tie often and are told apart by a second one', 7, true],
    ['scores that all tie, with a second one that ties', 1, true],
    ['different scores', 1e9, false],
  ])('are those of top-k at every count: %s', async (_, values, hasSecond) => {
    const next = lcg(11);
    const odd = [Number.NaN, Number.NEGATIVE_INFINITY, -0, 0, Number.POSITIVE_INFINITY];
    const draw = (most: number): number => Math.floor(next() * most);
    const score = Float32Array.from({ length: 120 }, (_, i) =>
      i % 17 === 3 ? odd[draw(5)]! : draw(values) - 3,
    );
    const secondary = hasSecond ? Float32Array.from({ length: 120 }, () => draw(4) - 1) : null;
    const order = orderOf(score, secondary, 0);
    for (const count of [0, 1, 2, 7, 33, 60, 119, 120]) {
      const best = [...order.subarray(0, count)].sort((a, b) => a - b);
      expect(best, `${count}`).toEqual(await topK(score, secondary, count));
    }
    // Tokens that stay whatever is chosen come first.
    expect([...orderOf(score, secondary, 5)]).toEqual([0, 1, 2, 3, 4, ...[...order].map((at) => at + 5)]);
  });
});
