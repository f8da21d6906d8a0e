import { expect, it, vi } from 'vitest';
import { matrixRows } from '../../../gpu/rows';
import { createWebGpuOps } from '../../../gpu/webgpu';
import { webGpuMemoryLimits } from '../../../gpu/webgpu/buffers';
import { openDevice } from '../../../gpu/webgpu/device';
import { isUserError } from '../../../src/base/user-error';
import { createTestGpu, describeWebGpu, requestTestAdapter } from '../../webgpu-node';

const MEBIBYTE = 2 ** 20;
/** Elements of one MiB. */
const ONE = 2 ** 18;

describeWebGpu('a budget on WebGPU', (gpu) => {
  const withBudget = async (
    mebibytes: number,
    tests: (ops: Awaited<ReturnType<typeof createWebGpuOps>>) => Promise<void>,
  ) => {
    const ops = await createWebGpuOps({
      device: gpu.device,
      capabilities: { memoryBytes: mebibytes * MEBIBYTE },
    });
    try {
      await tests(ops);
    } finally {
      ops.destroy();
    }
  };

  it('refuses what goes beyond it, with what is asked, held and free, and goes on', () =>
    withBudget(16, async (ops) => {
      const held = ops.allocate('f32', 12 * ONE, 'the keys');
      const before = ops.memory().bytes;
      for (const refused of [
        () => ops.allocate('f32', 5 * ONE, 'the values'),
        () => ops.upload(new Float32Array(5 * ONE), 'the values'),
      ]) {
        expect(refused).toThrow(
          'the values needs 5.0 MiB of GPU memory, 12 of the 16 MiB allowed are in use and 4.0 MiB would fit; ' +
            'use a shorter text, fewer queries or a smaller model.',
        );
        try {
          refused();
        } catch (error) {
          expect(isUserError(error)).toBe(true);
        }
      }
      expect(ops.memory().bytes).toBe(before);
      // A copy to read from takes memory too.
      await expect(ops.readFloats(held)).rejects.toThrow('copy of the keys needs 12 MiB');
      expect(ops.memory().bytes).toBe(before);
      expect(await ops.readFloats(held, 12 * ONE - 2)).toEqual(new Float32Array(2));
      const small = ops.upload(Float32Array.of(1, 2, 3, 4), 'small');
      expect(await ops.readFloats(small)).toEqual(Float32Array.of(1, 2, 3, 4));
    }));

  it('destroys freed storage that waits for reuse before it refuses', () =>
    withBudget(16, async (ops) => {
      const created = vi.spyOn(gpu.device, 'createBuffer');
      const destroyed: string[] = [];
      const watch = () => {
        for (const { value } of created.mock.results.splice(0)) {
          const destroy = value.destroy.bind(value);
          value.destroy = () => {
            destroyed.push(value.label);
            destroy();
          };
        }
      };
      const out = matrixRows(ops.allocate('f32', 4, 'out'), 1, 4);
      for (const label of ['a', 'b', 'c']) {
        const buffer = ops.upload(new Float32Array(4 * ONE).fill(label.charCodeAt(0)), label);
        watch();
        // Encoded work still reads it when it is given back.
        ops.copyRows({ input: matrixRows(buffer, 1, 4), out });
        ops.release(buffer);
      }
      expect(destroyed, 'each has storage of its own, as encoded work reads that of the one before').toEqual(
        [],
      );
      const large = ops.allocate('f32', 14 * ONE, 'large');
      expect(destroyed.sort()).toEqual(['a', 'b', 'c']);
      expect(await ops.readFloats(out.buffer)).toEqual(new Float32Array(4).fill('c'.charCodeAt(0)));
      ops.release(large);
      expect(() => ops.allocate('f32', 17 * ONE, 'too large')).toThrow('too large needs');
      created.mockRestore();
    }));

  it('holds in all, however often storage is taken and given back', () =>
    withBudget(16, async (ops) => {
      const sizes = [3, 5, 2, 7, 1, 6, 4];
      for (let round = 0; round < 4; round++) {
        for (const size of sizes) {
          const buffers = [size, 8 - size].map((part) => ops.allocate('f32', part * ONE, `part of ${part}`));
          ops.copyRows({ input: matrixRows(buffers[0]!, 1, 4), out: matrixRows(buffers[1]!, 1, 4) });
          ops.release(...buffers);
        }
      }
      await ops.pace();
      expect(ops.memory().peakBytes).toBeLessThanOrEqual(9 * MEBIBYTE);
    }));

  it('comes from the device where nothing else is said', async () => {
    const { adapter } = await createTestGpu();
    const device = await (await requestTestAdapter()).requestDevice();
    const { capabilities } = await openDevice({ device });
    expect(capabilities.memoryBytes, 'default limits').toBe(2 ** 31);
    expect(capabilities.maxBufferBytes).toBe(2 ** 27);
    const { capabilities: larger } = await openDevice({ device: gpu.device });
    expect(larger.memoryBytes).toBe(Math.min(2 ** 34, 8 * adapter.limits.maxBufferSize));
    device.destroy();
  });
});

it('storage comes in steps of an eighth, none larger than the device allows', () => {
  const { storageBytes } = webGpuMemoryLimits({
    budgetBytes: 2 ** 31,
    bufferBytes: 2 ** 27,
    temporaryRows: 0,
    numbersAtOnce: 0,
  });
  expect([0, 1, 64, 65, 2 ** 20].map(storageBytes)).toEqual([256, 256, 256, 512, 2 ** 22]);
  expect(storageBytes(2 ** 20 + 1)).toBe(2 ** 22 + 2 ** 19);
  expect(storageBytes(2 ** 25 - 100)).toBe(2 ** 27);
  for (let elements = 1000; elements < 2 ** 25; elements = Math.ceil(elements * 1.37)) {
    const bytes = storageBytes(elements);
    expect(bytes).toBeGreaterThanOrEqual(4 * elements);
    expect(bytes).toBeLessThan(4 * elements * 1.125 + 256);
  }
});
