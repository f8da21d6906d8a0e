import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { input, numbers, output, take } from './views';

const ops = createCpuOps();
const { NaN: none, NEGATIVE_INFINITY: low, POSITIVE_INFINITY: high } = Number;

async function pooled(
  kind: 'mean' | 'max',
  values: readonly (readonly number[])[],
  width: number,
  firstLength?: number,
): Promise<number[]> {
  const shape = { heads: 1, rows: values.length, channels: values[0]!.length };
  const rows = input(ops, shape, values.flat());
  const out = output(ops, shape);
  const length = shape.channels;
  ops.pool({ kind, input: { ...rows, length }, width, firstLength, out: { ...out, length } });
  return take(ops, out);
}

describe('pool', () => {
  const naive = (x: readonly number[], radius: number) =>
    x.map((_, j) => Math.max(...x.slice(Math.max(0, j - radius), j + radius + 1)));

  test.each([0, 1, 2, 3, 7, 20, 21, 1000])('maxima, %i entries to each side', async (radius) => {
    const random = [...numbers(radius + 1, 21)].map((x) => Math.round(8 * x) + 0);
    const values = [
      random,
      [...random].sort((a, b) => a - b),
      [...random].sort((a, b) => b - a),
      new Array(21).fill(-3),
      random.map((x, i) => (i % 5 === 2 ? low : i === 11 ? high : x)),
    ];
    const expected = values.flatMap((x) => naive(x, radius));
    expect(await pooled('max', values, 2 * radius + 1)).toEqual(expected);
  });

  test('one entry, no entries, NaN', async () => {
    expect(await pooled('max', [[5]], 7)).toEqual([5]);
    expect(await pooled('mean', [[5]], 5)).toEqual([1]);
    expect(await pooled('max', [[]], 7)).toEqual([]);
    expect(await pooled('mean', [[]], 7)).toEqual([]);
    expect(await pooled('max', [[none, 1, none]], 1)).toEqual([low, 1, low]);
  });

  test('a mean knows nothing of what left its window', async () => {
    expect(await pooled('mean', [[3, 1e30, 3, 6, 0, high, 3, 3, 3]], 3)).toEqual(
      [3.3333333333e29, 3.3333333333e29, 3.3333333333e29, 3, high, high, high, 3, 2].map(Math.fround),
    );
    expect(await pooled('mean', [[none, 0, 3, 3, low]], 3)).toEqual([none, none, 2, low, low]);
  });

  test('rows that grow end where they are said to, with zeros behind', async () => {
    const rows = [
      [3, 6, 9, 9],
      [3, 6, 9, 9],
      [3, 6, 9, 9],
    ];
    expect(await pooled('mean', rows, 3, 1)).toEqual([1, low, low, low, 3, 3, low, low, 3, 6, 5, low]);
    expect(await pooled('max', rows, 3, 1)).toEqual([3, low, low, low, 6, 6, low, low, 6, 9, 9, low]);
  });
});
