import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { matrixRows } from '../../../gpu/rows';
import { expectClose, input, numbers, output, take } from './views';

describe.each([createCpuOps(), createCpuOps({ simd: false })])('$description', (ops) => {
  function expected(n: number, k: number, m: number, x: Float32Array, w: Float32Array): number[] {
    const out: number[] = [];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        let sum = 0;
        for (let c = 0; c < k; c++) sum += x[i * k + c]! * w[j * k + c]!;
        out.push(sum);
      }
    }
    return out;
  }

  describe('matmul', () => {
    // Rows and columns around the blocking by four, two and one; the last two cross a block of weight rows.
    const sizes = [
      [1, 1, 1],
      [1, 5, 9],
      [2, 3, 3],
      [3, 8, 2],
      [4, 1, 7],
      [5, 7, 5],
      [8, 192, 6],
      [9, 33, 17],
      [5, 4097, 37],
      [2, 3, 70001],
    ] as const;
    test.each(sizes)('%i rows of %i channels against %i', async (n, k, m) => {
      const x = numbers(n + k, n * k);
      const w = numbers(m, m * k);
      const bias = numbers(7, m);
      const want = expected(n, k, m, x, w);
      const tolerance = 1e-6 * Math.sqrt(k) + 1e-6;
      const a = {
        input: input(ops, { heads: 1, rows: n, channels: k }, x),
        weight: input(ops, { heads: 1, rows: m, channels: k }, w),
      };
      const out = output(ops, { heads: 1, rows: n, channels: m });
      ops.matmul({ ...a, out });
      expectClose(await take(ops, out), want, tolerance);
      ops.matmul({ ...a, out, bias: ops.upload(bias, 'bias'), accumulate: true });
      expectClose(
        await take(ops, out),
        want.map((s, i) => 2 * s + bias[i % m]!),
        3 * tolerance,
      );
      ops.matmul({ ...a, out, bias: ops.upload(bias, 'bias') });
      expectClose(
        await take(ops, out),
        want.map((s, i) => s + bias[i % m]!),
        2 * tolerance,
      );
    });

    test('no channels leave the bias; no rows or columns leave everything', async () => {
      const nothing = ops.allocate('f32', 0, 'nothing');
      const out = output(ops, { heads: 1, rows: 5, channels: 2 });
      ops.matmul({
        input: matrixRows(nothing, 5, 0),
        weight: matrixRows(nothing, 2, 0),
        bias: ops.upload(Float32Array.of(3, 4), 'bias'),
        out,
      });
      expect(await take(ops, out)).toEqual([3, 4, 3, 4, 3, 4, 3, 4, 3, 4]);
      const weight = input(ops, { heads: 1, rows: 2, channels: 3 }, numbers(1, 6));
      ops.matmul({ input: matrixRows(nothing, 0, 3), weight, out: matrixRows(nothing, 0, 2) });
      ops.matmul({ input: weight, weight: matrixRows(nothing, 0, 3), out: matrixRows(nothing, 2, 0) });
    });

    test('the reference sums in double precision: what cancels leaves the rest', async () => {
      const ops = createCpuOps({ simd: false });
      const x = Float32Array.of(1e8, 1, -1e8, 1);
      const out = ops.allocate('f32', 5, 'out');
      for (const rows of [1, 5]) {
        const repeated = new Float32Array(rows * 4);
        for (let r = 0; r < rows; r++) repeated.set(x, 4 * r);
        ops.matmul({
          input: matrixRows(ops.upload(repeated, 'x'), rows, 4),
          weight: matrixRows(ops.upload(Float32Array.of(1, 1, 1, 1), 'w'), 1, 4),
          out: matrixRows(out, rows, 1),
        });
        expect([...(await ops.readFloats(out, 0, rows))]).toEqual(new Array(rows).fill(2));
      }
    });

    test('infinity and NaN stay in their row and column', async () => {
      const x = numbers(3, 5 * 3);
      const w = numbers(4, 3 * 3);
      x[1 * 3] = Number.NaN;
      w[2 * 3] = Number.POSITIVE_INFINITY;
      const out = output(ops, { heads: 1, rows: 5, channels: 3 });
      ops.matmul({
        input: input(ops, { heads: 1, rows: 5, channels: 3 }, x),
        weight: input(ops, { heads: 1, rows: 3, channels: 3 }, w),
        out,
      });
      expectClose(await take(ops, out), expected(5, 3, 3, x, w), 1e-6);
    });
  });
});
