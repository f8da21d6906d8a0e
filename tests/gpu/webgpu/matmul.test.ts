import { expect, it } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { Ops } from '../../../gpu/ops';
import { createWebGpuOps } from '../../../gpu/webgpu';
import { describeWebGpu } from '../../webgpu-node';
import { compare, describeBoth, inputView, type Layout, outputView, randomFloats } from './both';

// Sums of K products in f32 against double: rounding grows with √K, K ≤ 129 here.
const tolerance = { relative: 2e-6 };

const shapes: readonly [rows: number, columns: number, depth: number, layout: Layout][] = [
  [1, 1, 1, 'dense'],
  [1, 5, 2, 'dense'],
  [1, 129, 64, 'dense'],
  [2, 3, 5, 'strided'],
  [3, 31, 17, 'strided'],
  [5, 64, 33, 'dense'],
  [8, 63, 20, 'dense'],
  [9, 17, 6, 'strided'],
  [17, 65, 31, 'strided'],
  [63, 33, 4, 'dense'],
  [64, 64, 64, 'dense'],
  [65, 129, 127, 'dense'],
  [129, 2, 12, 'strided'],
];

describeBoth('matmul', (backends) => {
  it.each(shapes)('%i × %i over %i, %s', async (rows, columns, depth, layout) => {
    await compare(
      backends,
      (ops) => {
        const out = outputView(ops, [1, rows, columns], layout);
        const input = inputView(ops, [1, rows, depth], layout, 1);
        const weight = inputView(ops, [1, columns, depth], layout, 2);
        ops.matmul({ input, weight, out });
        return { out: out.buffer };
      },
      tolerance,
    );
  });

  it.each([
    [1, 33, 20],
    [3, 66, 5],
    [70, 66, 20],
  ])('adds a bias and accumulates: %i × %i over %i', async (rows, columns, depth) => {
    await compare(
      backends,
      (ops) => {
        const out = inputView(ops, [1, rows, columns], 'strided', 3);
        const input = inputView(ops, [1, rows, depth], 'dense', 1);
        const weight = inputView(ops, [1, columns, depth], 'dense', 2);
        const bias = ops.upload(randomFloats(columns, 4), 'bias');
        ops.matmul({ input, weight, bias, out, accumulate: true });
        return { out: out.buffer };
      },
      tolerance,
    );
  });

  it('writes a part of the buffer that it reads from', async () => {
    await compare(
      backends,
      (ops) => {
        const all = inputView(ops, [1, 20, 24], 'dense', 1);
        const weight = inputView(ops, [1, 8, 8], 'dense', 2);
        const columns = (first: number) => ({ ...all, offset: first, channels: 8 });
        ops.matmul({ input: columns(0), weight, out: columns(16) });
        return { all: all.buffer };
      },
      tolerance,
    );
  });

  it.each([
    ['no rows', 0, 5, 4],
    ['no columns', 5, 0, 4],
  ])('leaves everything alone with %s', async (_, rows, columns, depth) => {
    await compare(backends, (ops) => {
      const out = outputView(ops, [1, rows, columns], 'strided');
      const input = inputView(ops, [1, rows, depth], 'dense', 1);
      const weight = inputView(ops, [1, columns, depth], 'dense', 2);
      ops.matmul({ input, weight, out });
      return { out: out.buffer };
    });
  });

  it('gives the bias where there is nothing to sum', async () => {
    await compare(backends, (ops) => {
      const out = outputView(ops, [1, 10, 3], 'strided');
      const input = inputView(ops, [1, 10, 0], 'dense', 1);
      const weight = inputView(ops, [1, 3, 0], 'dense', 2);
      ops.matmul({ input, weight, bias: ops.upload(new Float32Array([1, 2, 3]), 'bias'), out });
      return { out: out.buffer };
    });
  });

  it('names the argument that does not fit', () => {
    const wrong = (ops: Ops) => () =>
      ops.matmul({
        input: inputView(ops, [1, 2, 4], 'dense', 1),
        weight: inputView(ops, [1, 3, 5], 'dense', 2),
        out: outputView(ops, [1, 2, 3], 'dense'),
      });
    expect(wrong(backends.webgpu)).toThrow('matmul: weight.channels is 5, but must be 4');
  });
});

describeWebGpu('matmul in every tiling', (gpu) => {
  it.each([
    [128, 'blocks of 128 rows'],
    [1024, 'blocks of 64 rows'],
    [131_072, 'blocks of 32 rows'],
  ])('of a device with %i threads: %s', async (parallelThreads) => {
    const capabilities = { isFallbackAdapter: false, parallelThreads, maxWorkgroupStorageBytes: 32_768 };
    const webgpu = await createWebGpuOps({ device: gpu.device, capabilities });
    for (const [rows, columns, depth, layout] of [
      [65, 129, 20, 'strided'],
      [65, 132, 20, 'dense'],
      [128, 64, 16, 'dense'],
      [33, 31, 33, 'strided'],
      [9, 4, 1, 'dense'],
      [12, 8, 0, 'dense'],
      [9, 1, 3, 'strided'],
    ] as const) {
      await compare(
        { webgpu, cpu: createCpuOps({ simd: false }) },
        (ops) => {
          const out = inputView(ops, [1, rows, columns], layout, 3);
          const input = inputView(ops, [1, rows, depth], 'strided', 1);
          const weight = inputView(ops, [1, columns, depth], 'dense', 2);
          const bias = ops.upload(randomFloats(columns, 4), 'bias');
          ops.matmul({ input, weight, bias, out, accumulate: true });
          return { out: out.buffer };
        },
        // Sums of at most 33 products.
        { relative: 2e-6 },
      );
    }
    webgpu.destroy();
  });

  it.each([
    [1, 5, 1200, '64 threads a column'],
    [4, 9, 770, '64 threads a column, of which most have another vector'],
    [3, 70, 403, '32 threads a column'],
    [8, 17, 384, '32 threads a column, three vectors each'],
    [2, 2100, 400, '16 threads a column, as there are enough columns'],
    [7, 33, 130, '16 threads a column, as there are few channels'],
  ])('of few rows: %i × %i over %i, %s', async (rows, columns, depth) => {
    const capabilities = { isFallbackAdapter: false, parallelThreads: 65_536 };
    const webgpu = await createWebGpuOps({ device: gpu.device, capabilities });
    await compare(
      { webgpu, cpu: createCpuOps({ simd: false }) },
      (ops) => {
        const out = inputView(ops, [1, rows, columns], 'strided', 3);
        const input = inputView(ops, [1, rows, depth], 'strided', 1);
        const weight = inputView(ops, [1, columns, depth], 'dense', 2);
        const bias = ops.upload(randomFloats(columns, 4), 'bias');
        ops.matmul({ input, weight, bias, out, accumulate: true });
        return { out: out.buffer };
      },
      // Sums of up to 1,200 products.
      { relative: 5e-6 },
    );
    webgpu.destroy();
  });
});
