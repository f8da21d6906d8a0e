import { describe, expect, test, vi } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { matrixRows } from '../../../gpu/rows';
import { isUserError } from '../../../src/base/user-error';

describe('storage', () => {
  test('new buffers are zero, uploads are copies, reads are copies', async () => {
    const ops = createCpuOps();
    expect([...(await ops.readFloats(ops.allocate('f32', 3, 'a')))]).toEqual([0, 0, 0]);
    const data = Float32Array.of(1, 2, 3, 4);
    const buffer = ops.upload(data, 'b');
    data[0] = 9;
    const first = await ops.readFloats(buffer);
    expect([...first]).toEqual([1, 2, 3, 4]);
    first[1] = 9;
    ops.write(buffer, 2, Float32Array.of(7));
    expect([...(await ops.readFloats(buffer))]).toEqual([1, 2, 7, 4]);
    expect([...(await ops.readFloats(buffer, 1, 2))]).toEqual([2, 7]);
    expect([...(await ops.readFloats(buffer, 3))]).toEqual([4]);
    expect([...(await ops.readFloats(buffer, 4))]).toEqual([]);
    const integers = ops.upload(Uint32Array.of(4294967295), 'c');
    expect([...(await ops.readIntegers(integers))]).toEqual([4294967295]);
    expect(buffer).toMatchObject({ type: 'f32', length: 4, label: 'b' });
  });

  test('memory counts what is held and the most that was', () => {
    const ops = createCpuOps();
    const a = ops.allocate('f32', 100, 'a');
    const b = ops.upload(new Uint32Array(50), 'b');
    expect(ops.memory()).toEqual({ bytes: 600, peakBytes: 600 });
    ops.release(a, a);
    expect(ops.memory()).toEqual({ bytes: 200, peakBytes: 600 });
    ops.allocate('f32', 60, 'c');
    ops.release(b);
    expect(ops.memory()).toEqual({ bytes: 240, peakBytes: 600 });
    ops.destroy();
    expect(ops.memory()).toEqual({ bytes: 0, peakBytes: 600 });
  });

  test('more than the machine can hold is the user’s to know', () => {
    try {
      createCpuOps().allocate('f32', 2 ** 50, 'the key cache');
      expect.unreachable();
    } catch (error) {
      expect(isUserError(error)).toBe(true);
      expect((error as Error).message).toContain('the key cache');
    }
  });

  test('a budget refuses what goes beyond it, and goes on', () => {
    const ops = createCpuOps({ memoryBytes: 2 ** 20 });
    expect(ops.memoryLimits.budgetBytes).toBe(2 ** 20);
    const held = ops.allocate('f32', 2 ** 17, 'the keys');
    for (const refused of [
      () => ops.allocate('f32', 2 ** 18, 'the values'),
      () => ops.upload(new Uint32Array(2 ** 18), 'the values'),
    ]) {
      expect(refused).toThrow(
        'the values needs 1.0 MiB of memory, 0.5 of the 1.0 MiB allowed are in use and 0.5 MiB would fit',
      );
    }
    expect(ops.memory().bytes).toBe(2 ** 19);
    ops.release(held);
    expect(ops.allocate('f32', 2 ** 18, 'the values').length).toBe(2 ** 18);
  });

  test('wrong type, bounds, owner or time', async () => {
    const ops = createCpuOps();
    const floats = ops.allocate('f32', 4, 'floats');
    const integers = ops.allocate('u32', 4, 'integers');
    await expect(ops.readFloats(integers)).rejects.toThrow('readFloats: buffer (integers) holds u32');
    await expect(ops.readIntegers(floats)).rejects.toThrow('readIntegers: buffer (floats) holds f32');
    await expect(ops.readFloats(floats, 2, 3)).rejects.toThrow(
      'readFloats: buffer reaches element 5 of floats',
    );
    await expect(ops.readFloats(floats, -1, 1)).rejects.toThrow(RangeError);
    expect(() => ops.write(floats, 3, Float32Array.of(1, 2))).toThrow('write: buffer reaches element 5');
    expect(() => ops.write(floats, 0, Uint32Array.of(1))).toThrow('write: buffer (floats) holds f32');
    expect(() => ops.allocate('f32', 1.5, 'half')).toThrow('the length of half is 1.5');

    const foreign = matrixRows({ type: 'f32', length: 4, label: 'elsewhere' }, 2, 2);
    const own = matrixRows(floats, 2, 2);
    expect(() => ops.copyRows({ input: foreign, out: own })).toThrow(
      'elsewhere is no buffer of the CPU backend',
    );
    ops.release(floats);
    const other = matrixRows(ops.allocate('f32', 4, 'other'), 2, 2);
    expect(() => ops.copyRows({ input: own, out: other })).toThrow('floats is used after its release');
    await expect(ops.readFloats(floats)).rejects.toThrow('floats is used after its release');
  });
});

describe('time', () => {
  test('pace lets other messages in once its interval is over, and only then', async () => {
    const eager = createCpuOps({ yieldAfterMilliseconds: -1 });
    let others = 0;
    setImmediate(() => others++);
    await eager.pace();
    expect(others).toBe(1);
    const patient = createCpuOps({ yieldAfterMilliseconds: 1e9 });
    setImmediate(() => others++);
    await patient.pace();
    expect(others).toBe(1);
  });

  test('where there is no setImmediate, a message makes the turn', async () => {
    vi.stubGlobal('setImmediate', undefined);
    const ops = createCpuOps({ yieldAfterMilliseconds: -1 });
    vi.unstubAllGlobals();
    let resolved = 0;
    const paces = [ops.pace(), ops.pace()].map((pace) => pace.then(() => resolved++));
    // What only waits for promises, without a turn of the event loop, is over before.
    for (let i = 0; i < 100; i++) await Promise.resolve();
    expect(resolved).toBe(0);
    await Promise.all(paces);
    expect(resolved).toBe(2);
    ops.destroy();
  });

  test('a stopwatch reads the wall clock', async () => {
    const stopwatch = createCpuOps().stopwatch();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const { milliseconds, clock } = await stopwatch.stop();
    expect(clock).toBe('wall');
    expect(milliseconds).toBeGreaterThan(0);
  });
});
