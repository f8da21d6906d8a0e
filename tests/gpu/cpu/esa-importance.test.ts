import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { LOWEST_SCORE, type Ops } from '../../../gpu/ops';
import { expectClose, input, numbers, output, take } from './views';

const ops = createCpuOps();
const plain = createCpuOps({ simd: false });

describe.each([
  ['WebAssembly SIMD', ops],
  ['plain TypeScript', plain],
])('esaImportance, %s', (_, ops) => {
  test.each([
    [1, 1, 1],
    [1, 9, 4],
    [2, 1, 1],
    [3, 2, 5],
    [4, 17, 3],
    [5, 16, 8],
    [9, 130, 7],
    [6, 23, 300],
    // More scores than are held at a time.
    [21, 16_400, 2],
  ])('%i queries, %i keys, %i channels', async (n, m, channels) => {
    const q = numbers(n, n * channels);
    const k = numbers(m + 50, m * channels);
    const want = new Array(m).fill(Number.NEGATIVE_INFINITY);
    for (let c = 0; c < n; c++) {
      const dots = Array.from({ length: m }, (_, t) => {
        let sum = 0;
        for (let x = 0; x < channels; x++) sum += q[c * channels + x]! * k[t * channels + x]!;
        return sum;
      });
      const best = Math.max(...dots);
      for (let t = 0; t < m; t++) want[t] = Math.max(want[t], dots[t]! - best);
    }
    const out = output(ops, { heads: 1, rows: 1, channels: m });
    ops.esaImportance({
      query: input(ops, { heads: 1, rows: n, channels }, q),
      key: input(ops, { heads: 1, rows: m, channels }, k),
      out: out.buffer,
      outOffset: out.offset,
    });
    const got = await take(ops, out);
    expectClose(got, want, 1e-6);
    // Every query leaves its best key at exactly 0.
    expect(got.filter((x) => x === 0).length).toBe(want.filter((x) => x === 0).length);
  });

  test.each([
    [1, 1, 1, 1],
    [2, 9, 8, 4],
    [5, 16, 3, 8],
    [9, 130, 122, 7],
    // More scores than are held at a time.
    [21, 16_400, 16_380, 2],
  ])('by query: %i queries, %i keys, the first with %i, %i channels', async (n, m, first, channels) => {
    const q = numbers(n, n * channels);
    const k = numbers(m + 50, m * channels);
    const want = Array.from({ length: n }, (_, c) => {
      const dots = Array.from({ length: Math.min(m, first + c) }, (_, t) => {
        let sum = 0;
        for (let x = 0; x < channels; x++) sum += q[c * channels + x]! * k[t * channels + x]!;
        return sum;
      });
      const best = dots.reduce((a, b) => Math.max(a, b));
      return Array.from({ length: m }, (_, t) =>
        t < dots.length ? dots[t]! - best : Math.fround(LOWEST_SCORE),
      );
    });
    const out = output(ops, { heads: 1, rows: n, channels: m });
    const { buffer, offset, rowStride } = out;
    ops.esaImportanceByQuery({
      query: input(ops, { heads: 1, rows: n, channels }, q),
      key: input(ops, { heads: 1, rows: m, channels }, k),
      firstLength: first,
      out: { buffer, offset, rowStride, rows: n, length: m },
    });
    expectClose(await take(ops, out), want.flat(), 1e-6);
  });

  test('no queries give −∞, no keys write nothing', async () => {
    const none = input(ops, { heads: 1, rows: 0, channels: 3 }, []);
    const some = input(ops, { heads: 1, rows: 2, channels: 3 }, numbers(1, 6));
    const out = output(ops, { heads: 1, rows: 1, channels: 2 });
    ops.esaImportance({ query: some, key: none, out: out.buffer, outOffset: out.offset });
    expect(await take(ops, out)).toEqual([12345, 12345]);
    ops.esaImportance({ query: none, key: some, out: out.buffer, outOffset: out.offset });
    expect(await take(ops, out)).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  });

  test.each([
    ['a key of NaN scores −∞ and leaves the others alone', [1, Number.NaN, 3], [-4, -Infinity, 0]],
    ['infinite keys have no best one', [1, Infinity, 3], [-Infinity, -Infinity, -Infinity]],
    ['a key of −∞ scores −∞', [1, -Infinity, 3], [-4, -Infinity, 0]],
    ['nothing but NaN scores −∞', [Number.NaN, Number.NaN, Number.NaN], [-Infinity, -Infinity, -Infinity]],
    ['equal keys are all best', [3, 3, 3], [0, 0, 0]],
  ])('%s', async (_, keys, want) => {
    for (const queries of [[2], [2, 2, 2, 2, 2]]) {
      const key = input(ops, { heads: 1, rows: 3, channels: 1 }, keys);
      const query = input(ops, { heads: 1, rows: queries.length, channels: 1 }, queries);
      const out = output(ops, { heads: 1, rows: 1, channels: 3 });
      ops.esaImportance({ query, key, out: out.buffer, outOffset: out.offset });
      expect(await take(ops, out)).toEqual(want);
    }
  });
});

test('esaImportance are the same on WebAssembly SIMD and in plain TypeScript, to the last digit', async () => {
  const [n, m, channels] = [70, 8193, 48];
  const scores = async (ops: Ops) => {
    const out = output(ops, { heads: 1, rows: 1, channels: m });
    ops.esaImportance({
      query: input(ops, { heads: 1, rows: n, channels }, numbers(1, n * channels)),
      key: input(ops, { heads: 1, rows: m, channels }, numbers(2, m * channels)),
      out: out.buffer,
      outOffset: out.offset,
    });
    return take(ops, out);
  };
  expect(await scores(ops)).toEqual(await scores(plain));
});
