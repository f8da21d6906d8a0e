import { afterAll, beforeAll, expect } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { Ops, ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { createWebGpuOps } from '../../../gpu/webgpu';
import type { Capabilities } from '../../../gpu/webgpu/capabilities';
import { describeWebGpu, type TestGpu } from '../../webgpu-node';

/** Fills every slot that no operation should touch. Exact in f32, larger than any result: maxima must not see it. */
const POISON = 12345.625;
const POISON_INTEGER = 0xdeadbeef;
const GUARD = 7;

/** The two backends, and what a run on one of them needs. */
export interface Backends {
  readonly webgpu: Ops;
  readonly cpu: Ops;
}

/**
 * `describe` with both backends, once with the kernels that a software adapter gets and once with those of hardware: which of
 * them a machine would choose must not decide what is tested.
 */
export function describeBoth(name: string, tests: (backends: Backends, gpu: TestGpu) => void): void {
  describeDevices(name, { 'software adapter': softwareAdapter, 'hardware adapter': hardwareAdapter }, tests);
}

/** What stands for a device, and how its kernels are compiled. */
export type TestDevice = Partial<Capabilities> & { readonly unrollsLoops?: boolean };

/** Operations on a device that stands for another. */
export function openAs({ device }: TestGpu, { unrollsLoops, ...capabilities }: TestDevice): Promise<Ops> {
  return createWebGpuOps({ device, capabilities, unrollsLoops });
}

export const softwareAdapter: Partial<Capabilities> = { isFallbackAdapter: true, parallelThreads: 16 };
export const hardwareAdapter: Partial<Capabilities> = { isFallbackAdapter: false, parallelThreads: 131_072 };
/**
 * Loops stay loops, which SwiftShader compiles three times as fast. Each kernel that asks for its loops to be written out runs so too,
 * and under KEYHOLE_TEST_GPU=hardware all do.
 */
export const quicklyCompiled: TestDevice = {
  ...hardwareAdapter,
  unrollsLoops: process.env.KEYHOLE_TEST_GPU === 'hardware',
};
/** A GPU that has nothing but what WebGPU promises. */
export const leastThreads: Partial<Capabilities> = {
  ...hardwareAdapter,
  subgroups: false,
  subgroupMinSize: 0,
  subgroupMaxSize: 0,
  shaderF16: false,
  maxInvocationsPerWorkgroup: 256,
  maxWorkgroupStorageBytes: 16_384,
};

/** `describe` with both backends, once for each kind of device. */
export function describeDevices(
  name: string,
  devices: Readonly<Record<string, TestDevice>>,
  tests: (backends: Backends, gpu: TestGpu) => void,
): void {
  for (const [kind, device] of Object.entries(devices)) {
    describeWebGpu(`${name}, ${kind}`, (gpu) => {
      const backends: Partial<Record<'webgpu' | 'cpu', Ops>> = {};
      beforeAll(async () => {
        backends.webgpu = await openAs(gpu, device);
        backends.cpu = createCpuOps({ simd: false });
      });
      afterAll(() => {
        backends.webgpu?.destroy();
        backends.cpu?.destroy();
      });
      tests(backends as Backends, gpu);
    });
  }
}

/** Repeatable numbers, about normal: sums of three uniform ones. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return () => 2 * (uniform() + uniform() + uniform()) - 3;
}

/** Floats for one case; `scale` widens them. */
export function randomFloats(length: number, seed: number, scale = 1): Float32Array {
  const next = random(seed);
  return Float32Array.from({ length }, () => scale * next());
}

/** How a view lies in its buffer. */
export type Layout = 'dense' | 'strided' | 'token-major';

/**
 * A view of heads × rows × channels in a buffer that holds more: odd gaps between rows and heads, slots before and behind.
 * `token-major` interleaves the heads of a row.
 */
export function layOut(heads: number, rows: number, channels: number, layout: Layout): Omit<Rows, 'buffer'> {
  const shape = { heads, rows, channels };
  if (layout === 'dense') {
    return { ...shape, offset: 0, headStride: rows * channels, rowStride: channels };
  }
  if (layout === 'token-major') {
    return { ...shape, offset: 8, headStride: channels, rowStride: heads * channels };
  }
  const rowStride = channels + 3;
  return { ...shape, offset: 5, headStride: rows * rowStride + 2, rowStride };
}

function extent({ offset, heads, rows, channels, headStride, rowStride }: Omit<Rows, 'buffer'>): number {
  if (heads * rows * channels === 0) return offset;
  return offset + (heads - 1) * headStride + (rows - 1) * rowStride + channels;
}

/** An input view with the values given (or random ones), and poison around it. */
export function inputView(
  ops: Ops,
  shape: readonly [number, number, number],
  layout: Layout,
  values: Float32Array | number,
  scale = 1,
): Rows {
  const view = layOut(...shape, layout);
  const data = new Float32Array(extent(view) + GUARD).fill(POISON);
  const source =
    typeof values === 'number' ? randomFloats(shape[0] * shape[1] * shape[2], values, scale) : values;
  let at = 0;
  for (let head = 0; head < view.heads; head++) {
    for (let row = 0; row < view.rows; row++) {
      for (let c = 0; c < view.channels; c++) {
        data[view.offset + head * view.headStride + row * view.rowStride + c] = source[at++]!;
      }
    }
  }
  return { ...view, buffer: ops.upload(data, 'input') };
}

type Shape = readonly [number, number, number];

/** Values of queries whose last channel is positive, and of keys of which every third has −∞ there: their scores are −∞. */
export function infiniteScores(query: Shape, key: Shape): { query: Float32Array; key: Float32Array } {
  const ofLast = (shape: Shape, seed: number, last: (x: number, row: number) => number): Float32Array =>
    randomFloats(shape[0] * shape[1] * shape[2], seed).map((x, i) =>
      (i + 1) % shape[2] === 0 ? last(x, Math.floor(i / shape[2])) : x,
    );
  return {
    query: ofLast(query, 1, (x) => 1 + Math.abs(x)),
    key: ofLast(key, 2, (x, row) => (row % 3 === 0 ? Number.NEGATIVE_INFINITY : x)),
  };
}

/** Score rows with the values given, and poison around each. */
export function inputScores(ops: Ops, rows: number, length: number, values: Float32Array): ScoreRows {
  const { buffer, offset, rowStride } = inputView(ops, [1, rows, length], 'strided', values);
  return { buffer, offset, rows, length, rowStride };
}

/** Score rows in a poisoned buffer, apart from each other. */
export function scoresOut(ops: Ops, rows: number, length: number): ScoreRows {
  const rowStride = length + 2;
  return { buffer: poisoned(ops, 3 + rows * rowStride), offset: 3, rows, length, rowStride };
}

/** An output view in a poisoned buffer. */
export function outputView(ops: Ops, shape: readonly [number, number, number], layout: Layout): Rows {
  const view = layOut(...shape, layout);
  return { ...view, buffer: poisoned(ops, extent(view)) };
}

/** A poisoned float buffer of `length` and a guard. */
export function poisoned(ops: Ops, length: number): DeviceBuffer {
  return ops.upload(new Float32Array(length + GUARD).fill(POISON), 'output');
}

export function poisonedIntegers(ops: Ops, length: number): DeviceBuffer {
  return ops.upload(new Uint32Array(length + GUARD).fill(POISON_INTEGER), 'integer output');
}

/** Everything in the buffers that a run wrote. */
export type Outputs = Readonly<Record<string, DeviceBuffer>>;

export interface Tolerance {
  /** Largest difference, relative to the largest finite magnitude of the output (at least `least`). */
  readonly relative: number;
  /** 1 by default: 0 for outputs that are small, whose tolerance would be an absolute one. */
  readonly least?: number;
}

/**
 * Runs the same work on both backends and compares whole output buffers: results within the tolerance, integers exactly,
 * and poison, which stands in every slot that is none of the operation's, untouched.
 */
export async function compare(
  { webgpu, cpu }: Backends,
  work: (ops: Ops) => Outputs,
  tolerance: Tolerance = { relative: 0 },
): Promise<void> {
  const outputs = work(webgpu);
  const expected = work(cpu);
  expect(Object.keys(expected).length).toBeGreaterThan(0);
  for (const [name, buffer] of Object.entries(outputs)) {
    const reference = expected[name]!;
    if (buffer.type === 'u32') {
      expect(await webgpu.readIntegers(buffer), name).toEqual(await cpu.readIntegers(reference));
      continue;
    }
    compareFloats(name, await webgpu.readFloats(buffer), await cpu.readFloats(reference), tolerance);
  }
  webgpu.release(...Object.values(outputs));
  cpu.release(...Object.values(expected));
}

function compareFloats(
  name: string,
  actual: Float32Array,
  expected: Float32Array,
  { relative, least = 1 }: Tolerance,
): void {
  expect(actual.length).toBe(expected.length);
  let largest = least;
  for (const x of expected) {
    if (Number.isFinite(x) && x !== POISON) largest = Math.max(largest, Math.abs(x));
  }
  for (let i = 0; i < expected.length; i++) {
    const exact = expected[i] === POISON || !Number.isFinite(expected[i]);
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (Object.is(actual[i], expected[i])) continue;
    if (exact || !(difference <= relative * largest)) {
      expect.fail(`${name}[${i}] is ${actual[i]}, the CPU gives ${expected[i]} (largest ${largest})`);
    }
  }
}
