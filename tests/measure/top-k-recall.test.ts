/** Top-k recall of queries that each keep keys of their own: in one pass what each has alone. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { headMajorRows, sliceRows } from '../../gpu/rows';
import type { KeptKeys } from '../../src/measure/selection-reader';
import { type TopKOfHead, topKRecall, topKRecallOfEach } from '../../src/measure/top-k-recall';
import { draw, lcg } from '../golden/lcg';

const [HEADS, ROWS, TOKENS, CHANNELS] = [4, 5, 24, 4];
const FIRST = TOKENS - ROWS;

it.each([
  {
    what: 'one after the other has a candidate more',
    growth: 1,
    counts: (set: number, row: number) => (3 * set + row) % 7,
  },
  {
    what: 'all have the same candidates',
    growth: 0,
    counts: (set: number, row: number) => (5 * set + 2 * row) % 9,
  },
  { what: 'equally many are kept', growth: 1, counts: () => 6 },
  { what: 'some keep all', growth: 0, counts: (set: number, row: number) => (set === row ? FIRST - 2 : 4) },
])('$what', async ({ growth, counts }) => {
  const ops = createCpuOps();
  const next = lcg(17);
  const rowsOf = (heads: number, rows: number) =>
    headMajorRows(
      ops.upload(Float32Array.from(draw(next, heads * rows * CHANNELS)), 'rows'),
      heads,
      rows,
      CHANNELS,
    );
  const query = rowsOf(HEADS, ROWS);
  const logSumExp = { buffer: ops.upload(new Float32Array(HEADS * ROWS), 'λ'), offset: 0, headStride: ROWS };
  const piece = { query, key: rowsOf(2, TOKENS), logSumExp, scale: 1.5 };
  const kept = Array.from({ length: ROWS }, (_, row): KeptKeys => {
    const end = FIRST + growth * row;
    const sets = [0, 1].map((set) => {
      const order = Float64Array.from(
        draw(next, end - 2),
        (value, i) => Math.floor(1e6 * value) * 64 + i,
      ).sort();
      return Uint32Array.from(
        order.subarray(0, counts(set, row)),
        (key) => 2 + (((key % 64) + 64) % 64),
      ).sort();
    });
    return { sets, rangeStart: end, candidates: { start: 2, end }, tiedAtCut: null };
  });
  const alone = await Promise.all(
    kept.map((of, row) => {
      const lambda = { ...logSumExp, offset: row };
      return topKRecall(ops, { ...piece, query: sliceRows(query, row, 1), logSumExp: lambda }, of);
    }),
  );
  const each = await topKRecallOfEach(ops, piece, kept);
  for (const name of ['recall', 'chance'] satisfies (keyof TopKOfHead)[]) {
    const numbers = Array.from({ length: HEADS }, (_, head) =>
      alone.map((of) => of[head]?.[name][0] ?? Number.NaN),
    );
    expect(each.map((of) => [...(of?.[name] ?? new Array(ROWS).fill(Number.NaN))])).toEqual(numbers);
  }
  ops.destroy();
});
