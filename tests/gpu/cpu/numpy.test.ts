/** Operations as numpy computes them: tests/fixtures/operations.py. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { longestPattern } from '../../../gpu/operations/pattern-lists/op';
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

  const heads = (values: number[][][]) => input(ops, shapeOf(values), values.flat(2), 'token-major');
  const headsOut = (values: number[][][]) => output(ops, shapeOf(values));
  const list = (lists: Matrix) => ({
    buffer: ops.upload(Uint32Array.from(lists.flat()), 'list'),
    ...{ offset: 0, sets: lists.length, count: lists[0]!.length, rowStride: lists[0]!.length },
  });

  test.each(cases.pageBounds)('pageBounds, pages of $pageLength', async (c) => {
    const [minimum, maximum] = [headsOut(c.minimum), headsOut(c.maximum)];
    ops.pageBounds({ key: heads(c.key), pageLength: c.pageLength, minimum, maximum });
    expect(await take(ops, minimum)).toEqual(c.minimum.flat(2));
    expect(await take(ops, maximum)).toEqual(c.maximum.flat(2));
  });

  test.each(cases.boundScores)('boundScores', async (c) => {
    const { view, out } = scoresOut(c.out.length, c.out[0]!.length);
    const inputs = { query: heads(c.query), minimum: heads(c.minimum), maximum: heads(c.maximum) };
    ops.boundScores({ ...inputs, out });
    expectClose(await take(ops, view), c.out.flat(), TOLERANCE);
  });

  test.each(cases.sparseQueries)('sparseQueries, $count channels', async (c) => {
    const out = headsOut(c.out);
    ops.sparseQueries({ query: heads(c.query), groups: c.groups, count: c.count, out });
    expectClose(await take(ops, out), c.out.flat(2), TOLERANCE);
  });

  test.each(cases.segmentReduce)('segmentReduce, $kind', async ({ kind, segmentLength, ...c }) => {
    const { view, out } = scoresOut(c.out.length, c.out[0]!.length);
    ops.segmentReduce({ kind: kind as 'sum', input: scores(c.input), segmentLength, out });
    expectClose(await take(ops, view), c.out.flat(), TOLERANCE);
  });

  test.each(cases.expandSegments)('expandSegments', async ({ segmentLength, ...c }) => {
    const { view, out } = scoresOut(c.out.length, c.out[0]!.length);
    ops.expandSegments({ input: scores(c.input), segmentLength, out });
    expect(await take(ops, view)).toEqual(c.out.flat());
  });

  test.each(cases.expandList)('expandList, from $indexBase to $end', async (c) => {
    const { segmentLength, indexBase, end } = c;
    const { list: out, lists } = ragged(c.out.length, Math.max(...c.out.map((row) => row.length)));
    ops.expandList({ segments: list(c.segments), segmentLength, indexBase, end, out });
    expect(await lists()).toEqual(c.out);
  });

  test.each(cases.listAbove)('listAbove $threshold', async ({ input: rows, threshold, out: expected }) => {
    const { list: out, lists } = ragged(rows.length, rows[0]!.length);
    ops.listAbove({ score: scores(rows), threshold, out });
    expect(await lists()).toEqual(expected);
  });

  test.each(cases.patternLists)('patternLists, from $firstQuery on', async (c) => {
    const { anchor, firstQuery, queries } = c;
    const blocks = c.blocks ? { list: list(c.blocks), tokens: c.tokens } : undefined;
    const shown = { columns: list(c.columns), diagonals: list(c.diagonals), anchor, firstQuery, queries };
    const { list: out, lists } = ragged(
      c.out.length,
      longestPattern({ ...shown, ...(blocks && { blocks }) }),
    );
    ops.patternLists({ ...shown, ...(blocks && { blocks }), out });
    expect(await lists()).toEqual(c.out);
  });

  test.each(cases.leverage)(
    'leverage, ridge $ridge',
    async ({ input: rows, ridge, weight, out: expected }) => {
      const { view, out } = scoresOut(expected.length, expected[0]!.length);
      ops.leverage({ input: heads(rows), ridge, ...(weight ? { weight: scores(weight) } : {}), out });
      expectClose(await take(ops, view), expected.flat(), TOLERANCE);
    },
  );

  test.each(cases.heavyHitters)('heavyHitters, from $firstKey on, $recentCount recent', async (c) => {
    const { query, scale, firstKey, recentCount } = c;
    const sets = c.tokens.length;
    const count = c.tokens[0]!.length;
    // What the operation writes is not there before.
    const given = (rows: Matrix): Matrix => rows.map((row, r) => (r < query.length ? row : row.map(() => 9)));
    const tokens = list(given(c.tokens));
    const { view, out: received } = scoresOut(sets, count);
    for (const [r, row] of c.received.slice(0, query.length).entries())
      ops.write(view.buffer, view.offset + r * view.rowStride, Float32Array.from(row));
    const tied = ops.upload(new Uint32Array(sets + 2).fill(GUARD), 'tied');
    const inputs = { query: heads(query), key: heads(c.key), scale, firstKey, recentCount };
    ops.heavyHitters({ ...inputs, tokens, received, tied: { buffer: tied, offset: 1 } });
    expect([...(await ops.readIntegers(tokens.buffer))]).toEqual(c.tokens.flat());
    expectClose(await take(ops, view), c.received.flat(), TOLERANCE);
    const untouched = new Array<number>(query.length).fill(GUARD);
    expect([...(await ops.readIntegers(tied))]).toEqual([GUARD, ...untouched, ...c.tied, GUARD]);
  });

  test.each(cases.cascade)('cascade, $held held', async ({ held, firstToken, score, drops, kept, rest }) => {
    const [sets, count] = [kept.length, kept[0]!.length];
    const before = ops.upload(
      Uint32Array.from({ length: sets * held }, (_, i) => 2 * (i % held)),
      'held',
    );
    const lists = ops.upload(new Uint32Array(2 + sets * (count + 1)).fill(GUARD), 'kept');
    const { view, out } = scoresOut(sets, count);
    ops.cascade({
      ...{ tokens: { buffer: before, offset: 0, sets, count: held, rowStride: held }, firstToken },
      score: scores(score),
      drops: { buffer: ops.upload(Uint32Array.from([GUARD, ...drops.flat()]), 'places'), offset: 1 },
      out: { buffer: lists, offset: 2, sets, count, rowStride: count + 1 },
      outScore: out,
    });
    expect([...(await ops.readIntegers(lists))]).toEqual([
      GUARD,
      GUARD,
      ...kept.flatMap((row) => [...row, GUARD]),
    ]);
    expect(await take(ops, view)).toEqual(rest.flat());
  });

  test.each(cases.mixRows)('mixRows', async (c) => {
    const out = headsOut(c.out);
    ops.mixRows({ matrix: heads(c.matrix), input: heads(c.input), out });
    expectClose(await take(ops, out), c.out.flat(2), TOLERANCE);
    const added = output(
      ops,
      shapeOf(c.out),
      'token-major',
      c.out.flat(2).map(() => 1),
    );
    ops.mixRows({ matrix: heads(c.matrix), input: heads(c.input), out: added, accumulate: true });
    expectClose(
      await take(ops, added),
      c.out.flat(2).map((x) => x + 1),
      TOLERANCE,
    );
  });

  test.each(cases.matmul)('matmul per head', async (c) => {
    const bias = ops.upload(Float32Array.from(c.bias), 'bias');
    for (const layout of ['head-major', 'token-major'] as const) {
      const [rows, weight] = [input(ops, shapeOf(c.input), c.input.flat(2), layout), heads(c.weight)];
      const out = output(ops, shapeOf(c.out), layout);
      ops.matmul({ input: rows, weight, bias, out });
      expectClose(await take(ops, out), c.out.flat(2), TOLERANCE);
    }
  });

  test.each(cases.gatherListed)('gatherListed', async (c) => {
    const out = headsOut(c.out);
    ops.gatherListed({ input: heads(c.input), list: list(c.lists), out });
    expect(await take(ops, out)).toEqual(c.out.flat(2));
  });
});

function shapeOf(values: number[][][]) {
  return { heads: values.length, rows: values[0]!.length, channels: values[0]![0]!.length };
}
