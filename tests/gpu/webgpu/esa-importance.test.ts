import { expect, it } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { createWebGpuOps } from '../../../gpu/webgpu';
import { describeWebGpu } from '../../webgpu-node';
import { compare, inputView, poisoned } from './both';

describeWebGpu('esaImportance in every tiling', (gpu) => {
  it.each([
    [128, 'blocks of 128 queries'],
    [1024, 'blocks of 64 queries'],
    [131_072, 'blocks of 32 queries'],
  ])('of a device with %i threads: %s', async (parallelThreads) => {
    const capabilities = { isFallbackAdapter: false, parallelThreads, maxWorkgroupStorageBytes: 32_768 };
    const webgpu = await createWebGpuOps({ device: gpu.device, capabilities });
    const backends = { webgpu, cpu: createCpuOps({ simd: false }) };
    for (const [queries, keys, channels] of [
      [1, 1, 1],
      [129, 31, 17],
      [33, 128, 16],
    ]) {
      await compare(
        backends,
        (ops) => {
          const out = poisoned(ops, keys! + 3);
          const query = inputView(ops, [1, queries!, channels!], 'strided', 1);
          const key = inputView(ops, [1, keys!, channels!], 'strided', 2);
          ops.esaImportance({ query, key, out, outOffset: 3 });
          return { out };
        },
        // Differences of sums over at most 17 channels.
        { relative: 2e-6 },
      );
    }

    // Every query has the same best key, and another that equals it: both get exactly 0, the others what they miss.
    const query = webgpu.upload(new Float32Array(70 * 4).fill(2), 'equal queries');
    const key = webgpu.upload(
      Float32Array.from({ length: 100 * 4 }, (_, i) => (i >> 2 === 7 || i >> 2 === 93 ? 3 : -(i >> 2))),
      'keys, two the same',
    );
    const out = webgpu.allocate('f32', 100, 'peaks');
    const view = (buffer: typeof out, rows: number) => ({
      buffer,
      offset: 0,
      heads: 1,
      rows,
      channels: 4,
      headStride: 4 * rows,
      rowStride: 4,
    });
    webgpu.esaImportance({ query: view(query, 70), key: view(key, 100), out, outOffset: 0 });
    const expected = Array.from({ length: 100 }, (_, t) => (t === 7 || t === 93 ? 0 : -8 * t - 24));
    expect([...(await webgpu.readFloats(out))]).toEqual(expected);
    webgpu.destroy();
  });
});
