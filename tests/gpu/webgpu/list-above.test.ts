import { it } from 'vitest';
import type { Ops } from '../../../gpu/ops';
import { compare, describeBoth, poisonedIntegers } from './both';

/** Eighths: many scores equal the threshold. */
const rowOf = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => ((7 * i * i + seed * i + seed) % 9) / 8 - 0.25);

const cases: readonly (readonly [rows: number, length: number, threshold: number])[] = [
  [1, 1, 0],
  [3, 31, 0.25],
  [2, 32, 0.25],
  [2, 33, 0.25],
  [5, 127, 0],
  [4, 128, 0.5],
  [1, 129, 0.625],
  [7, 1000, 0.125],
  // All of them, none, no scores, no rows.
  [2, 300, -1],
  [2, 300, 2],
  [2, 0, 0.5],
  [0, 5, 0.5],
];

describeBoth('listAbove', (backends) => {
  it.each(cases)('%i × %i above %f', async (rows, length, threshold) => {
    await compare(backends, (ops: Ops) => {
      const stride = length + 3;
      const data = Array.from({ length: rows }, (_, row) => [...rowOf(length, row), 99, 99, 99]).flat();
      if (length > 2 && rows > 0) data[2] = Number.NaN;
      const buffer = ops.upload(Float32Array.from([99, ...data]), 'scores');
      const score = { buffer, offset: 1, rows, length, rowStride: stride };
      const lists = poisonedIntegers(ops, rows + 2 + rows * (length + 2));
      const out = { buffer: lists, offset: rows + 2, sets: rows, count: length, rowStride: length + 2 };
      ops.listAbove({ score, threshold, out: { ...out, countsOffset: 1 } });
      return { out: lists };
    });
  });
});
