import { afterAll, afterEach, beforeAll, describe, expect } from 'vitest';
import { softwareDawnFlags } from '../scripts/browser.mjs';

/** A WebGPU device in Node, and what it can do. */
export interface TestGpu {
  readonly adapter: GPUAdapter;
  readonly device: GPUDevice;
}

// Kept for the life of the process: Dawn's instance must outlive its adapters and devices.
let instance: GPU | undefined;

/** Dawn in Node, the same for the whole process. On SwiftShader unless KEYHOLE_TEST_GPU=hardware (see vitest.config.ts). */
async function testGpuInstance(): Promise<GPU> {
  if (!instance) {
    const { create, globals } = await import('webgpu');
    Object.assign(globalThis, globals);
    napBeforeLooks();
    instance = create(process.env.KEYHOLE_TEST_GPU === 'hardware' ? [] : softwareDawnFlags);
  }
  return instance;
}

/** Long enough for the driver's threads to get on, and no longer than a small read takes anyway. */
const NAP_MILLISECONDS = 0.05;

/**
 * Dawn in Node looks for what is done at every turn of the event loop, which keeps a core busy that the software driver would compute
 * on: a quarter of what these tests took. So this thread sleeps for a moment before each look.
 */
function napBeforeLooks(): void {
  const { setImmediate } = globalThis;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  const napping = (callback: (...given: unknown[]) => void, ...given: unknown[]): NodeJS.Immediate => {
    if (!isOfAddon(callback)) return setImmediate(callback, ...given);
    return setImmediate(() => {
      Atomics.wait(clock, 0, 0, NAP_MILLISECONDS);
      callback(...given);
    });
  };
  globalThis.setImmediate = Object.assign(napping, setImmediate) as typeof globalThis.setImmediate;
}

/** Whether a function is native code of a module, not of the language (a promise's `resolve`) or bound: those make no objects. */
function isOfAddon(callback: object): boolean {
  const isNative = Function.prototype.toString.call(callback).endsWith('{ [native code] }');
  return isNative && Object.hasOwn(callback, 'prototype');
}

/** A fresh adapter: each gives one device. */
export async function requestTestAdapter(): Promise<GPUAdapter> {
  const adapter = await (await testGpuInstance()).requestAdapter();
  if (!adapter)
    throw new Error('Dawn found no WebGPU adapter: is vk_swiftshader_icd.json beside a Chromium?');
  return adapter;
}

/**
 * A device with every feature and limit that its adapter has.
 *
 * @throws if Dawn finds no adapter: kernels that were not run must not look like kernels that passed
 */
export async function createTestGpu(): Promise<TestGpu> {
  const adapter = await requestTestAdapter();
  const requiredLimits: Record<string, number> = {};
  for (const name in adapter.limits) {
    const limit = adapter.limits[name as keyof GPUSupportedLimits];
    if (typeof limit === 'number') requiredLimits[name] = limit;
  }
  const requiredFeatures = [...adapter.features] as GPUFeatureName[];
  return { adapter, device: await adapter.requestDevice({ requiredFeatures, requiredLimits }) };
}

/** The device that tests share. */
let shared: { gpu: TestGpu; isLost: boolean } | undefined;

/**
 * One device for the whole process. Dawn gives the same pipeline again as long as anybody holds it, and compiling is nearly all that
 * these tests take: so all are held.
 */
async function sharedTestGpu(): Promise<TestGpu> {
  if (!shared || shared.isLost) {
    const gpu = await createTestGpu();
    const made = { gpu, isLost: false };
    const { device } = gpu;
    const held: unknown[] = [];
    const hold = <T>(pipeline: T): T => {
      held.push(pipeline);
      return pipeline;
    };
    const create = device.createComputePipeline.bind(device);
    const createAsync = device.createComputePipelineAsync.bind(device);
    device.createComputePipeline = (descriptor) => hold(create(descriptor));
    device.createComputePipelineAsync = async (descriptor) => hold(await createAsync(descriptor));
    void device.lost.then(() => {
      made.isLost = true;
      held.length = 0;
    });
    shared = made;
  }
  return shared.gpu;
}

/**
 * `describe` with the WebGPU device that tests share. `gpu.device` is there inside tests and hooks, not while tests are collected.
 * An error that no error scope caught fails the test that it happened in.
 */
export function describeWebGpu(name: string, tests: (gpu: TestGpu) => void): void {
  describe(name, () => {
    const gpu: Partial<TestGpu> = {};
    const uncaptured: string[] = [];
    const listen = (event: GPUUncapturedErrorEvent): void => void uncaptured.push(event.error.message);

    beforeAll(async () => {
      Object.assign(gpu, await sharedTestGpu());
      gpu.device!.addEventListener('uncapturederror', listen);
    });

    afterEach(async () => {
      await gpu.device?.queue.onSubmittedWorkDone();
      expect(uncaptured.splice(0), 'uncaptured WebGPU errors').toEqual([]);
    });

    afterAll(() => gpu.device?.removeEventListener('uncapturederror', listen));

    tests(gpu as TestGpu);
  });
}
