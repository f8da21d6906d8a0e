/** Operations as numpy computes them: tests/fixtures/operations.py. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { longestOfGroup } from '../../../gpu/operations/top-k-of-groups/op';
import type { ScoreRows } from '../../../gpu/ops';
import cases from '../../fixtures/operations.json';
import { expectClose, input, output, take } from './views';

type Matrix = number[][];

const GUARD = 0xdeadbeef;
const TOLERANCE = 1e-6;

describe.each([createCpuOps(), createCpuOps({ simd: false })])('$description', (ops) => {
  const scores = (values: Matrix): ScoreRows => {
    const view = input(ops, { heads: 1, rows: values.length, channels: values[0]!.length }, values.flat());
    return { ...view, length: view.channels };
  };
  const scoresOut = (rows: number, length: number) => {
    const view = output(ops, { heads: 1, rows, channels: length });
    return { view, out: { ...view, length } };
  };
  /** A ragged list with guards everywhere, and what it holds afterwards. */
  const ragged = (sets: number, count: number) => {
    const rowStride = count + 1;
    const buffer = ops.upload(new Uint32Array(sets + 3 + sets * rowStride).fill(GUARD), 'list');
    const list = { buffer, offset: sets + 3, sets, count, rowStride, countsOffset: 1 };
    return {
      list,
      async lists() {
        const data = await ops.readIntegers(buffer);
        const lists = Array.from({ length: sets }, (_, s) => {
          const start = list.offset + s * rowStride;
          return [...data.subarray(start, start + data[1 + s]!)];
        });
        lists.forEach((entries, s) => {
          data.fill(GUARD, list.offset + s * rowStride, list.offset + s * rowStride + entries.length);
          data[1 + s] = GUARD;
        });
        expect(data.every((x) => x === GUARD)).toBe(true);
        return lists;
      },
    };
  };

  test.each(cases.pool)('pool, $kind over $width', async ({ kind, width, input: rows, out: expected }) => {
    const { view, out } = scoresOut(rows.length, rows[0]!.length);
    ops.pool({ kind: kind as 'mean' | 'max', input: scores(rows), width, out });
    expectClose(await take(ops, view), expected.flat(), TOLERANCE);
  });

  test.each(cases.topKOfGroups)(
    'topKOfGroups, $count of $rowsPerGroup rows, floors of $floorCount',
    async (c) => {
      const { rowsPerGroup, count, floorCount, kept, tied } = c;
      const sizes = { score: scores(c.score), rowsPerGroup, count, floorCount };
      const { list, lists } = ragged(kept.length, longestOfGroup(sizes));
      const ties = ops.upload(new Uint32Array(tied.length + 2).fill(GUARD), 'tied');
      const secondary = c.secondary && scores(c.secondary);
      ops.topKOfGroups({ ...sizes, secondary, indexBase: 100, out: list, tied: { buffer: ties, offset: 1 } });
      expect(await lists()).toEqual(kept.map((row) => row.map((index) => 100 + index)));
      expect([...(await ops.readIntegers(ties))]).toEqual([GUARD, ...tied, GUARD]);
    },
  );
});
