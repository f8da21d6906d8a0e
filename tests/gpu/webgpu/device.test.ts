import { expect, it, vi } from 'vitest';
import type { MeasuredTime } from '../../../gpu/ops';
import { matrixRows, sliceRows } from '../../../gpu/rows';
import { createWebGpuOps } from '../../../gpu/webgpu';
import { CommandEncoder } from '../../../gpu/webgpu/command-encoder';
import { openDevice } from '../../../gpu/webgpu/device';
import { linearGrid, spans } from '../../../gpu/webgpu/grid';
import { defineKernel } from '../../../gpu/webgpu/kernel';
import { Pacer } from '../../../gpu/webgpu/pacer';
import { Pipelines } from '../../../gpu/webgpu/pipelines';
import { shaderOf } from '../../../scripts/wgsl.mjs';
import { isUserError } from '../../../src/base/user-error';
import { createTestGpu, describeWebGpu, requestTestAdapter } from '../../webgpu-node';

describeWebGpu('storage on WebGPU', (gpu) => {
  const withOps = async (
    tests: (ops: Awaited<ReturnType<typeof createWebGpuOps>>) => Promise<void>,
    capabilities = {},
  ) => {
    const ops = await createWebGpuOps({ device: gpu.device, capabilities });
    try {
      await tests(ops);
    } finally {
      ops.destroy();
    }
  };

  it('allocates zeros, also where freed storage is used again', () =>
    withOps(async (ops) => {
      const first = ops.upload(new Float32Array(100).fill(3), 'first');
      expect(await ops.readFloats(first)).toEqual(new Float32Array(100).fill(3));
      ops.release(first);
      const second = ops.allocate('u32', 90, 'second');
      expect(await ops.readIntegers(second)).toEqual(new Uint32Array(90));
    }));

  it('reads and writes parts, in order with encoded work', () =>
    withOps(async (ops) => {
      const buffer = ops.upload(Float32Array.of(1, 2, 3, 4, 5, 6), 'buffer');
      const out = ops.allocate('f32', 6, 'out');
      const copy = (from: number, to: number) =>
        ops.copyRows({ input: matrixRows(buffer, 1, 2, from), out: matrixRows(out, 1, 2, to) });
      copy(0, 0);
      ops.write(buffer, 0, Float32Array.of(10, 20));
      copy(0, 2);
      ops.write(buffer, 1, Float32Array.of(200));
      copy(0, 4);
      expect([...(await ops.readFloats(out))]).toEqual([1, 2, 10, 20, 10, 200]);
      expect([...(await ops.readFloats(buffer, 1, 3))]).toEqual([200, 3, 4]);
      expect([...(await ops.readFloats(buffer, 4))]).toEqual([5, 6]);
      expect([...(await ops.readFloats(buffer, 6))]).toEqual([]);
    }));

  it('gives storage to be overwritten without clearing it', () =>
    withOps(async (ops) => {
      ops.release(ops.upload(new Float32Array(100).fill(3), 'first'));
      const scratch = ops.scratch('f32', 90, 'scratch');
      expect(await ops.readFloats(scratch)).toEqual(new Float32Array(90).fill(3));
      ops.write(scratch, 0, new Float32Array(90).fill(4));
      expect(await ops.readFloats(scratch)).toEqual(new Float32Array(90).fill(4));
    }));

  it('writes short data between encoded work without a submission of their own', () =>
    withOps(async (ops) => {
      const count = 40;
      const submit = vi.spyOn(gpu.device.queue, 'submit');
      const buffer = ops.allocate('u32', 100, 'written again and again');
      const floats = ops.allocate('f32', 100, 'floats');
      const out = ops.allocate('f32', 100 * count, 'out');
      const expected = new Float32Array(100 * count);
      for (let i = 0; i < count; i++) {
        // Of every kind: integers, floats at an offset, and reused storage.
        ops.write(buffer, 0, Uint32Array.of(i));
        ops.write(floats, i, Float32Array.of(i + 0.5));
        ops.release(ops.upload(new Float32Array(100).fill(-1), 'short-lived'));
        ops.copyRows({ input: matrixRows(floats, 1, 100), out: matrixRows(out, 1, 100, 100 * i) });
        for (let j = 0; j <= i; j++) expected[100 * i + j] = j + 0.5;
      }
      expect(submit.mock.calls.length).toBeLessThanOrEqual(1);
      expect(await ops.readFloats(out)).toEqual(expected);
      expect((await ops.readIntegers(buffer))[0]).toBe(count - 1);
      submit.mockRestore();
    }));

  it('writes long data in order with encoded work', () =>
    withOps(async (ops) => {
      const length = 100_000;
      const buffer = ops.upload(new Float32Array(length).fill(1), 'buffer');
      const out = ops.allocate('f32', 2 * length, 'out');
      const copy = (part: number) =>
        ops.copyRows({
          input: matrixRows(buffer, 1, length),
          out: matrixRows(out, 1, length, part * length),
        });
      copy(0);
      ops.write(buffer, 0, new Float32Array(length).fill(2));
      copy(1);
      const expected = new Float32Array(2 * length).fill(1).fill(2, length);
      expect(await ops.readFloats(out)).toEqual(expected);
    }));

  it('reads through kept buffers, several at once, of any length', () =>
    withOps(async (ops) => {
      const data = Float32Array.from({ length: 3000 }, (_, i) => i);
      const buffer = ops.upload(data, 'buffer');
      for (let round = 0; round < 3; round++) {
        const parts = await Promise.all([
          ops.readFloats(buffer, 0, 1),
          ops.readFloats(buffer, 7, 300),
          ops.readFloats(buffer, 5, 295),
          ops.readFloats(buffer),
        ]);
        expect(parts).toEqual([data.slice(0, 1), data.slice(7, 307), data.slice(5, 300), data]);
      }
    }));

  it('frees a buffer only once encoded work is done with it', () =>
    withOps(async (ops) => {
      const length = 64;
      const out = ops.allocate('f32', 20 * length, 'out');
      for (let i = 0; i < 20; i++) {
        const input = ops.upload(new Float32Array(length).fill(i + 1), 'input');
        ops.copyRows({ input: matrixRows(input, 1, length), out: matrixRows(out, 1, length, i * length) });
        ops.release(input);
      }
      const values = await ops.readFloats(out);
      expect([...values]).toEqual(Array.from({ length: 20 * length }, (_, i) => Math.floor(i / length) + 1));
    }));

  it('counts the bytes in use, and the most there were', () =>
    withOps(async (ops) => {
      const before = ops.memory().bytes;
      const buffers = [1, 2, 3].map(() => ops.allocate('f32', 1024, 'buffer'));
      expect(ops.memory().bytes - before).toBe(3 * 4096);
      ops.release(...buffers);
      ops.release(...buffers);
      expect(ops.memory()).toEqual({ bytes: before, peakBytes: before + 3 * 4096 });
    }));

  it('says how large a buffer may be', () =>
    withOps(
      async (ops) => {
        expect(() => ops.allocate('f32', 3 * 2 ** 20, 'the key cache')).toThrow(
          'the key cache needs a buffer of 12 MiB, this GPU allows at most 8.0 MiB (2097152 numbers)',
        );
        try {
          ops.allocate('f32', 3 * 2 ** 20, 'the key cache');
        } catch (error) {
          expect(isUserError(error)).toBe(true);
        }
        // Rounding up to a size class must not push a buffer that fits over the limit.
        expect(ops.allocate('f32', 2 ** 21 - 100_000, 'fits').length).toBe(2 ** 21 - 100_000);
      },
      { maxBufferBytes: 2 ** 23 },
    ));

  it('refuses wrong types, spans, and what was released', () =>
    withOps(async (ops) => {
      const floats = ops.allocate('f32', 8, 'floats');
      await expect(ops.readIntegers(floats)).rejects.toThrow('holds f32, but must hold u32');
      await expect(ops.readFloats(floats, 4, 5)).rejects.toThrow('reaches element 9 of floats, which has 8');
      expect(() => ops.write(floats, 7, Float32Array.of(1, 2))).toThrow('reaches element 9');
      ops.release(floats);
      const view = matrixRows(floats, 1, 4);
      const out = matrixRows(ops.allocate('f32', 4, 'out'), 1, 4);
      expect(() => ops.copyRows({ input: view, out })).toThrow('floats was released');
    }));

  it('goes on after an operation was refused', () =>
    withOps(async (ops) => {
      const buffer = ops.upload(Float32Array.of(1, 2, 3, 4), 'buffer');
      const out = ops.allocate('f32', 4, 'out');
      expect(() => ops.copyRows({ input: matrixRows(buffer, 1, 4), out: matrixRows(out, 2, 2) })).toThrow();
      ops.copyRows({ input: matrixRows(buffer, 1, 4), out: matrixRows(out, 1, 4) });
      expect([...(await ops.readFloats(out))]).toEqual([1, 2, 3, 4]);
    }));
});

describeWebGpu('submissions on WebGPU', (gpu) => {
  it('encodes thousands of dispatches, each with its own parameters', async () => {
    const ops = await createWebGpuOps({ device: gpu.device });
    const count = 5000;
    const input = matrixRows(
      ops.upload(
        Float32Array.from({ length: count }, (_, i) => i),
        'input',
      ),
      count,
      1,
    );
    const out = matrixRows(ops.allocate('f32', count, 'out'), count, 1);
    for (let i = 0; i < count; i++) {
      ops.copyRows({ input: sliceRows(input, i, 1), out: sliceRows(out, count - 1 - i, 1) });
    }
    const values = await ops.readFloats(out.buffer);
    expect(values).toEqual(Float32Array.from({ length: count }, (_, i) => count - 1 - i));
    ops.destroy();
  });

  it('lets timers and messages run while work is paced', async () => {
    const ops = await createWebGpuOps({ device: gpu.device });
    const weight = matrixRows(ops.allocate('f32', 64 * 64, 'weight'), 64, 64);
    const input = matrixRows(ops.allocate('f32', 64 * 64, 'input'), 64, 64);
    const out = matrixRows(ops.allocate('f32', 64 * 64, 'out'), 64, 64);
    ops.matmul({ input, weight, out });
    await ops.readFloats(out.buffer);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const start = performance.now();
    while (performance.now() - start < 600) {
      ops.matmul({ input, weight, out });
      await ops.pace();
    }
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(2);
    await ops.readFloats(out.buffer);
    ops.destroy();
  });

  it.each([true, false])('measures time, timestamps %s', async (timestampQuery) => {
    const ops = await createWebGpuOps({ device: gpu.device, capabilities: { timestampQuery } });
    const matrix = matrixRows(ops.allocate('f32', 128 * 128, 'matrix'), 128, 128);
    const out = matrixRows(ops.allocate('f32', 128 * 128, 'out'), 128, 128);
    const outer = ops.stopwatch();
    const idle = await ops.stopwatch().stop();
    const inner = ops.stopwatch();
    ops.matmul({ input: matrix, weight: matrix, out });
    const one = await inner.stop();
    ops.matmul({ input: matrix, weight: matrix, out });
    const both = await outer.stop();
    expect(one.clock).toBe(timestampQuery ? 'timestamp' : 'wall');
    expect(one.milliseconds).toBeGreaterThan(0);
    expect(both.milliseconds).toBeGreaterThan(one.milliseconds);
    if (timestampQuery) expect(idle.milliseconds).toBe(0);
    ops.destroy();
  });

  it('times many short spans in few submissions', async () => {
    const ops = await createWebGpuOps({ device: gpu.device });
    const matrix = matrixRows(ops.allocate('f32', 32 * 32, 'matrix'), 32, 32);
    const out = matrixRows(ops.allocate('f32', 32 * 32, 'out'), 32, 32);
    const submit = vi.spyOn(gpu.device.queue, 'submit');
    const times: Promise<MeasuredTime>[] = [];
    // More passes than there is room for at once.
    for (let i = 0; i < 2500; i++) {
      const watch = ops.stopwatch();
      ops.matmul({ input: matrix, weight: matrix, out });
      times.push(watch.stop());
    }
    for (const { milliseconds, clock } of await Promise.all(times)) {
      expect(clock).toBe('timestamp');
      expect(milliseconds).toBeGreaterThan(0);
    }
    expect(submit.mock.calls.length).toBeLessThan(250);
    submit.mockRestore();
    ops.destroy();
  });

  it('reads a buffer that it writes, from a copy', async () => {
    const ops = await createWebGpuOps({ device: gpu.device });
    const buffer = ops.upload(Float32Array.of(1, 2, 3, 4, 5, 6), 'buffer');
    const view = matrixRows(buffer, 3, 2);
    ops.copyRows({ input: sliceRows(view, 0, 1), out: sliceRows(view, 1, 1) });
    ops.copyRows({ input: sliceRows(view, 1, 1), out: sliceRows(view, 2, 1) });
    expect([...(await ops.readFloats(buffer))]).toEqual([1, 2, 1, 2, 1, 2]);
    ops.destroy();
  });

  it('reports a kernel that does not compile: name, line, code', async () => {
    // A device of its own: the errors that follow from the first are expected.
    const { device } = await createTestGpu();
    const encoder = new CommandEncoder(await openDevice({ device }));
    const code = [
      'struct Params { count: u32 }',
      '@group(0) @binding(0) var<uniform> params: Params;',
      '@group(0) @binding(1) var<storage, read_write> out: array<u32>;',
      '@compute @workgroup_size(1) fn main() {',
      '  out[0] = params.count + FACTOR * 1.5;',
      '}',
    ].join('\n');
    const out = encoder.allocate('u32', 1, 'out');
    encoder.dispatch({
      kernel: defineKernel('broken', shaderOf(code)),
      constants: { FACTOR: 2 },
      buffers: { out },
      parameters: { count: 1 },
      workgroups: [1, 1, 1],
      work: { flops: 0, bytes: 0 },
    });
    await expect(encoder.read(out, 0, 1)).rejects.toThrow(
      /kernel broken does not compile\nbroken\.wgsl:5:\d+: error/,
    );
    encoder.destroy();
  });

  it('takes parameters from several records', async () => {
    const encoder = new CommandEncoder(await openDevice({ device: gpu.device }));
    const code = [
      'struct Params { first: u32, second: f32, third: u32 }',
      '@group(0) @binding(0) var<uniform> params: Params;',
      '@group(0) @binding(1) var<storage, read_write> out: array<f32>;',
      '@compute @workgroup_size(1) fn main() {',
      '  out[0] = f32(params.first); out[1] = params.second; out[2] = f32(params.third);',
      '}',
    ].join('\n');
    const out = encoder.allocate('f32', 3, 'out');
    encoder.dispatch({
      kernel: defineKernel('several records', shaderOf(code)),
      constants: {},
      buffers: { out },
      parameters: [{ third: 3, other: 9 }, { second: 0.25 }, { third: 4, first: 1 }],
      workgroups: [1, 1, 1],
      work: { flops: 0, bytes: 0 },
    });
    expect(new Float32Array(await encoder.read(out, 0, 3))).toEqual(Float32Array.of(1, 0.25, 3));
    encoder.destroy();
  });

  it('refuses a dispatch with a parameter or buffer missing', async () => {
    const encoder = new CommandEncoder(await openDevice({ device: gpu.device }));
    const code = [
      'struct Params { count: u32 }',
      '@group(0) @binding(0) var<uniform> params: Params;',
      '@group(0) @binding(1) var<storage, read_write> out: array<u32>;',
      '@compute @workgroup_size(1) fn main() { out[0] = params.count; }',
    ].join('\n');
    const kernel = defineKernel('counting', shaderOf(code));
    const rest = { kernel, constants: {}, workgroups: [1, 1, 1], work: { flops: 0, bytes: 0 } } as const;
    const out = encoder.allocate('u32', 1, 'out');
    expect(() => encoder.dispatch({ ...rest, buffers: { out }, parameters: {} })).toThrow(
      'parameter count is missing',
    );
    expect(() => encoder.dispatch({ ...rest, buffers: {}, parameters: { count: 1 } })).toThrow(
      'buffer out is missing',
    );
    encoder.destroy();
  });
});

describeWebGpu('opening a device', (gpu) => {
  it('works within the default limits of WebGPU', async () => {
    const ops = await createWebGpuOps({ device: await (await requestTestAdapter()).requestDevice() });
    expect(() => ops.allocate('f32', 2 ** 25 + 1, 'too large')).toThrow('at most 128 MiB');
    const matrix = matrixRows(ops.upload(new Float32Array(16).fill(1), 'matrix'), 4, 4);
    const out = matrixRows(ops.allocate('f32', 16, 'out'), 4, 4);
    ops.matmul({ input: matrix, weight: matrix, out });
    expect(await ops.readFloats(out.buffer)).toEqual(new Float32Array(16).fill(4));
    expect(ops.backend).toBe('webgpu');
    expect(ops.isSoftware).toBe(gpu.adapter.info.isFallbackAdapter);
    ops.destroy();
  });

  it('asks an adapter for its larger buffers', async () => {
    const adapter = await requestTestAdapter();
    const ops = await createWebGpuOps({ adapter });
    const bytes = Math.min(adapter.limits.maxBufferSize, adapter.limits.maxStorageBufferBindingSize);
    expect(() => ops.allocate('f32', bytes / 4 + 4, 'too large')).toThrow(`at most ${bytes / 2 ** 20} MiB`);
    ops.destroy();
  });

  it('asks an adapter for what kernels may use, and takes overrides', async () => {
    const adapter = await requestTestAdapter();
    const opened = await openDevice({ adapter });
    const { capabilities } = opened;
    expect(capabilities).toMatchObject({
      subgroups: adapter.features.has('subgroups'),
      shaderF16: adapter.features.has('shader-f16'),
      timestampQuery: adapter.features.has('timestamp-query'),
      maxInvocationsPerWorkgroup: adapter.limits.maxComputeInvocationsPerWorkgroup,
      maxWorkgroupStorageBytes: adapter.limits.maxComputeWorkgroupStorageSize,
    });
    opened.close();
    const plain = await openDevice({ device: await (await requestTestAdapter()).requestDevice() });
    expect(plain.capabilities).toMatchObject({
      subgroups: false,
      subgroupMinSize: 0,
      subgroupMaxSize: 0,
      shaderF16: false,
      maxInvocationsPerWorkgroup: 256,
      maxWorkgroupStorageBytes: 16_384,
    });
    plain.close();
    const overridden = { subgroups: false, maxWorkgroupStorageBytes: 16_384 };
    expect((await openDevice({ device: gpu.device, capabilities: overridden })).capabilities).toMatchObject(
      overridden,
    );
  });

  it('enables the extensions that a kernel is declared with', async (context) => {
    context.skip(!gpu.device.features.has('subgroups'), 'this device has no subgroups');
    const opened = await openDevice({ device: gpu.device });
    const encoder = new CommandEncoder(opened);
    const code = [
      'struct Params { count: u32 }',
      '@group(0) @binding(0) var<uniform> params: Params;',
      '@group(0) @binding(1) var<storage, read_write> out: array<u32>;',
      '@compute @workgroup_size(1) fn main() { out[0] = FACTOR * subgroupAdd(params.count); }',
    ].join('\n');
    const out = encoder.allocate('u32', 1, 'out');
    encoder.dispatch({
      kernel: defineKernel('adding', shaderOf(code), ['subgroups']),
      constants: { FACTOR: 3 },
      buffers: { out },
      parameters: { count: 7 },
      workgroups: [1, 1, 1],
      work: { flops: 0, bytes: 0 },
    });
    expect(new Uint32Array(await encoder.read(out, 0, 1))).toEqual(Uint32Array.of(21));
    expect(opened.capabilities.subgroupMinSize).toBeGreaterThan(0);
    encoder.destroy();
  });

  it('says what to do without WebGPU or without an adapter', async () => {
    await expect(createWebGpuOps()).rejects.toThrow('This browser has no WebGPU');
    const none = { requestAdapter: async () => null } as unknown as GPU;
    await expect(createWebGpuOps({ gpu: none })).rejects.toThrow('found no graphics adapter');
  });

  it('reports a lost device, once, and refuses work after it', async () => {
    const device = await (await requestTestAdapter()).requestDevice();
    const messages: string[] = [];
    const ops = await createWebGpuOps({ device, onLost: (message) => messages.push(message) });
    const buffer = ops.allocate('f32', 4, 'buffer');
    device.destroy();
    await expect(ops.readFloats(buffer)).rejects.toThrow('The GPU device was lost');
    expect(messages).toHaveLength(1);
    expect(messages[0]).toContain('use the CPU backend');
    expect(() => ops.allocate('f32', 4, 'more')).toThrow('The GPU device was lost');
    await expect(ops.pace()).rejects.toThrow('The GPU device was lost');
  });
});

describeWebGpu('pipelines on WebGPU', (gpu) => {
  const counting = (name: string) =>
    defineKernel(
      name,
      shaderOf(
        [
          'struct Params { count: u32 }',
          '@group(0) @binding(0) var<uniform> params: Params;',
          '@group(0) @binding(1) var<storage, read_write> out: array<u32>;',
          '@compute @workgroup_size(1) fn main() { out[0] = params.count * FACTOR; }',
        ].join('\n'),
      ),
    );

  it('uses what was compiled ahead, and compiles what is not ready or was not asked for', async () => {
    const compile = vi.spyOn(gpu.device, 'createComputePipeline');
    const pipelines = new Pipelines(gpu.device, (error) => {
      throw error;
    });
    const kernel = counting('ahead');
    const shared = pipelines.interfaceOf(kernel);
    await Promise.all([pipelines.warmUp(kernel, { FACTOR: 2 }), pipelines.warmUp(kernel, { FACTOR: 2 })]);
    const ready = pipelines.get(kernel, shared, { FACTOR: 2 });
    expect(compile).not.toHaveBeenCalled();
    const late = pipelines.warmUp(kernel, { FACTOR: 3 });
    const early = pipelines.get(kernel, shared, { FACTOR: 3 });
    expect(compile).toHaveBeenCalledTimes(1);
    await late;
    expect(pipelines.get(kernel, shared, { FACTOR: 3 })).toBe(early);
    expect(pipelines.get(kernel, shared, { FACTOR: 2 })).toBe(ready);
    pipelines.get(kernel, shared, { FACTOR: 4 });
    expect(compile).toHaveBeenCalledTimes(2);
    expect(pipelines.inUse()).toEqual(
      [2, 3, 4].map((FACTOR) => ({ kernel: 'ahead', constants: { FACTOR } })),
    );
    await pipelines.settled();
    compile.mockRestore();
  });

  it('leaves an error of what was compiled ahead to its use', async () => {
    const errors: Error[] = [];
    const pipelines = new Pipelines(gpu.device, (error) => errors.push(error));
    const kernel = counting('missing a constant');
    await pipelines.warmUp(kernel, {});
    expect(errors).toEqual([]);
    pipelines.get(kernel, pipelines.interfaceOf(kernel), {});
    await pipelines.settled();
    expect(errors[0]?.message).toContain('kernel missing a constant does not compile');
  });
});

describeWebGpu('planning', () => {
  it('cuts grids and spans', () => {
    expect(linearGrid(65535, 65535)).toEqual([65535, 1, 1]);
    const [x, y] = linearGrid(65536, 65535);
    expect([x, y]).toEqual([32768, 2]);
    expect(spans(10, 3, 4)).toEqual([
      { start: 0, count: 4 },
      { start: 4, count: 4 },
      { start: 8, count: 2 },
    ]);
    expect(spans(0, 3, 4)).toEqual([]);
  });

  it('learns the speed of the device', async () => {
    const pacer = new Pacer(false);
    const work = { flops: 20e6 * 200, bytes: 0 };
    expect(pacer.partsFor(work)).toBe(5);
    pacer.add(work);
    expect(pacer.isFull).toBe(true);
    for (let i = 0; i < 4; i++) {
      const done = Promise.resolve();
      pacer.submitted(done);
      await done;
      await pacer.wait();
      pacer.add(work);
    }
    // Submissions estimated at 200 ms that take none: a fast device, larger pieces.
    expect(pacer.partsFor(work)).toBe(1);
    expect(pacer.isFull).toBe(false);
  });
});
