/** What is read is what was there when it was asked for, whatever is encoded before it is copied. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Ops } from '../../../gpu/ops';
import { matrixRows } from '../../../gpu/rows';
import { createWebGpuOps } from '../../../gpu/webgpu';
import { describeWebGpu } from '../../webgpu-node';

describeWebGpu('reads', (gpu) => {
  let ops: Ops;
  beforeAll(async () => {
    ops = await createWebGpuOps({ device: gpu.device });
  });
  afterAll(() => ops?.destroy());

  const LENGTH = 300;
  const numbers = (first: number) => Float32Array.from({ length: LENGTH }, (_, i) => first + i);
  const row = (buffer: ReturnType<Ops['upload']>) => matrixRows(buffer, 1, LENGTH);

  it('a dispatch overwrites what was asked for: both values come out', async () => {
    const [target, source] = [ops.upload(numbers(0), 'target'), ops.upload(numbers(1000), 'source')];
    const before = ops.readFloats(target);
    ops.copyRows({ input: row(source), out: row(target) });
    const after = ops.readFloats(target);
    expect(await before).toEqual(numbers(0));
    expect(await after).toEqual(numbers(1000));
    ops.release(target, source);
  });

  it('short and long data are written over what was asked for', async () => {
    for (const length of [LENGTH, 100_000]) {
      const data = (first: number) => Float32Array.from({ length }, (_, i) => first + i);
      const target = ops.upload(data(0), 'target');
      const before = ops.readFloats(target, 1, length - 1);
      ops.write(target, 0, data(5));
      const after = ops.readFloats(target, 1, length - 1);
      expect(await before).toEqual(data(0).subarray(1));
      expect(await after).toEqual(data(5).subarray(1));
      ops.release(target);
    }
  });

  it('released storage is used again at once: by what is cleared, uploaded and computed', async () => {
    const source = ops.upload(numbers(7), 'source');
    const reads: [Promise<Float32Array>, Float32Array][] = [];
    for (const [i, reuse] of [
      () => ops.allocate('f32', LENGTH, 'zeros'),
      () => ops.upload(numbers(3), 'uploaded'),
      () => {
        const out = ops.scratch('f32', LENGTH, 'computed');
        ops.copyRows({ input: row(source), out: row(out) });
        return out;
      },
    ].entries()) {
      const first = ops.upload(numbers(100 * i), 'first');
      reads.push([ops.readFloats(first), numbers(100 * i)]);
      ops.release(first);
      const second = reuse();
      reads.push([ops.readFloats(second), [new Float32Array(LENGTH), numbers(3), numbers(7)][i]!]);
      ops.release(second);
    }
    for (const [read, expected] of reads) expect(await read).toEqual(expected);
    ops.release(source);
  });

  it('reads that are asked for together are mapped together', async () => {
    const buffers = Array.from({ length: 50 }, (_, i) => ops.upload(numbers(i), 'one of many'));
    const { mapAsync } = GPUBuffer.prototype;
    let maps = 0;
    GPUBuffer.prototype.mapAsync = function (...args) {
      maps += 1;
      return mapAsync.apply(this, args);
    };
    try {
      const read = await Promise.all(buffers.map((buffer, i) => ops.readFloats(buffer, i, 2)));
      expect(read.map((values) => [...values])).toEqual(buffers.map((_, i) => [2 * i, 2 * i + 1]));
      expect(maps).toBe(1);
    } finally {
      GPUBuffer.prototype.mapAsync = mapAsync;
      ops.release(...buffers);
    }
  });

  it('reads that are long together do not share a buffer, which could be longer than the device allows', async () => {
    const { device } = gpu;
    const create = device.createBuffer.bind(device);
    const sizes: number[] = [];
    const long = ops.upload(
      new Float32Array(2 ** 19).map((_, i) => i),
      'long',
    );
    device.createBuffer = (descriptor) => {
      if (descriptor.label === 'results') sizes.push(descriptor.size);
      return create(descriptor);
    };
    try {
      const reads = Array.from({ length: 9 }, (_, i) => ops.readFloats(long, i, 2 ** 19 - 8));
      for (const [i, read] of (await Promise.all(reads)).entries()) {
        expect([read[0], read.at(-1)]).toEqual([i, i + 2 ** 19 - 9]);
      }
      expect(Math.max(...sizes)).toBe(2 ** 22);
    } finally {
      device.createBuffer = create;
      ops.release(long);
    }
  });

  it('long reads are not kept in the way of short ones', async () => {
    const long = ops.upload(new Float32Array(2 ** 22 - 1000), 'long');
    await ops.readFloats(long);
    await ops.readFloats(long, 0, 4);
    const { device } = gpu;
    const create = device.createBuffer.bind(device);
    let made = 0;
    device.createBuffer = (descriptor) => {
      if (descriptor.label === 'results') made += 1;
      return create(descriptor);
    };
    try {
      for (let i = 0; i < 5; i++) await ops.readFloats(long, i, 4);
      expect(made).toBe(0);
    } finally {
      device.createBuffer = create;
      ops.release(long);
    }
  });

  it('where there is no buffer to read into, all who wait are told, and nothing stays counted', async () => {
    const source = ops.upload(numbers(0), 'source');
    const { bytes } = ops.memory();
    const { device } = gpu;
    const create = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      if (descriptor.label === 'results') throw new RangeError('no room');
      return create(descriptor);
    };
    // Longer than what is kept of former reads.
    const long = ops.allocate('f32', 2 ** 21, 'long');
    try {
      const reads = [ops.readFloats(long), ops.readFloats(long, 1)];
      const settled = await Promise.allSettled(reads);
      expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    } finally {
      device.createBuffer = create;
    }
    ops.release(long);
    expect(ops.memory().bytes).toBe(bytes);
    expect(await ops.readFloats(source)).toEqual(numbers(0));
    ops.release(source);
  });
});
