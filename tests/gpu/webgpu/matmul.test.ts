import { expect, it } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { Ops } from '../../../gpu/ops';
import { createWebGpuOps } from '../../../gpu/webgpu';
import { describeWebGpu } from '../../webgpu-node';
import {
  compare,
  describeBoth,
  hardwareAdapter,
  inputView,
  type Layout,
  outputView,
  quicklyCompiled,
  randomFloats,
} from './both';

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

  it.each([2, 20])('keeps infinities to their rows: %i rows', async (rows) => {
    await compare(
      backends,
      (ops) => {
        const [columns, depth] = [33, 20];
        // In the last vector of channels, behind which kernels fill up what they take.
        const infinite = (count: number, row: number, seed: number) =>
          randomFloats(count * depth, seed).map((x, i) =>
            i === row * depth + 17 ? Infinity : Math.abs(x) + 0.1,
          );
        const input = inputView(ops, [1, rows, depth], 'dense', infinite(rows, 1, 1));
        const weight = inputView(ops, [1, columns, depth], 'dense', infinite(columns, 5, 2));
        const out = outputView(ops, [1, rows, columns], 'strided');
        ops.matmul({ input, weight, out });
        return { out: out.buffer };
      },
      tolerance,
    );
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
  // Of 65 × 132 there are 2, 4, 6, 6, 10 and 15 of these blocks.
  it.each([
    [512, '128 × 128'],
    [1024, '64 × 128'],
    [2500, '64 × 64'],
    [3500, '64 × 64 in 2 splits'],
    [8192, '64 × 32 in 2 splits'],
    [131_072, '32 × 32 in 2 splits'],
  ])('of a device with %i threads: blocks of %s', async (parallelThreads, block) => {
    const capabilities = {
      // Smallest blocks have been compiled by now, with their loops written out.
      ...(parallelThreads === 131_072 ? hardwareAdapter : quicklyCompiled),
      parallelThreads,
      maxWorkgroupStorageBytes: 32_768,
    };
    const webgpu = await createWebGpuOps({ device: gpu.device, capabilities });
    // Rows and columns beside whole blocks, few of both, no channels.
    for (const [rows, columns, depth, layout] of [
      [65, 129, 20, 'strided'],
      [65, 132, 33, 'dense'],
      [9, 1, 3, 'strided'],
      [12, 8, 0, 'dense'],
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
    const used = webgpu.pipelinesInUse().filter(({ kernel }) => kernel.startsWith('matmul-tiled'));
    expect(new Set(used.map(({ kernel }) => kernel))).toEqual(
      new Set(['matmul-tiled', 'matmul-tiled-vectors']),
    );
    const blocks = used.map(({ constants: { HIGH, WIDE, ROW_GROUPS, COLUMN_GROUPS, SPLIT_K } }) => {
      const splits = Number(SPLIT_K) > 1 ? ` in ${SPLIT_K} splits` : '';
      return `${4 * Number(HIGH) * Number(ROW_GROUPS)} × ${4 * Number(WIDE) * Number(COLUMN_GROUPS)}${splits}`;
    });
    expect(blocks).toContain(block);
    webgpu.destroy();
  });

  it.each([
    [1, 5, 1200, 64],
    [4, 9, 770, 64],
    [3, 70, 403, 32],
    [8, 17, 384, 32],
    // Enough columns.
    [2, 2100, 400, 16],
    // Few channels.
    [7, 33, 130, 16],
  ])('of few rows: %i × %i over %i, %i threads a column', async (rows, columns, depth, lanes) => {
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
    const used = webgpu.pipelinesInUse().filter(({ kernel }) => kernel === 'matmul-few-rows');
    expect(used.map(({ constants }) => constants.LANES)).toEqual([lanes]);
    webgpu.destroy();
  });
});
