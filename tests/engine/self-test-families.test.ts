import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdleDevice } from '../../bench/idle-device';
import { createCpuOps } from '../../gpu/cpu';
import type { Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import type { Capabilities } from '../../gpu/webgpu/capabilities';
import known from '../../gpu/webgpu/warm-up-list.json';
import { selfTest } from '../../src/engine/self-test';
import { selfTestFamilies } from '../../src/engine/self-test-families';
import { describeWebGpu } from '../webgpu-node';

test('operations that are the CPU’s pass, and leave nothing behind', async () => {
  const ops = createCpuOps();
  expect(await selfTestFamilies(ops)).toBeNull();
  expect(ops.memory().bytes).toBe(0);
});

/** What stands for devices of each kind; SwiftShader runs the kernels of all. */
const classes: Record<keyof typeof known, Partial<Capabilities>> = {
  software: { isFallbackAdapter: true, parallelThreads: 16 },
  subgroups: { isFallbackAdapter: false, parallelThreads: 4096 },
  portable: {
    ...{ isFallbackAdapter: false, parallelThreads: 4096, subgroups: false },
    ...{ subgroupMinSize: 0, subgroupMaxSize: 0 },
    ...{ maxInvocationsPerWorkgroup: 256, maxWorkgroupStorageBytes: 16_384 },
  },
};
const classNames = Object.keys(classes) as (keyof typeof classes)[];

const kernelsOf = (name: keyof typeof classes): string[] => {
  const stages = Object.values(known[name]) as { kernel: string }[][];
  return [...new Set(stages.flatMap((stage) => stage.map(({ kernel }) => kernel)))];
};

test.each(classNames)('tries every kernel of the opening study: %s', async (name) => {
  const ops = await createWebGpuOps({ device: createIdleDevice().device, capabilities: classes[name] });
  await selfTest(ops);
  // Nothing is computed here.
  expect(await selfTestFamilies(ops)).toMatch(/differ from the CPU's$/);
  const tried = new Set(ops.pipelinesInUse().map(({ kernel }) => kernel));
  expect(kernelsOf(name).filter((kernel) => !tried.has(kernel))).toEqual([]);
  ops.destroy();
});

/** A device on which dispatches of pipelines with a label do nothing, while they have it. */
function withDeadKernel(device: GPUDevice, dead: { readonly label: string }): GPUDevice {
  const labels = new WeakMap<object, string>();
  const watch = (pipeline: GPUComputePipeline, from?: string): GPUComputePipeline => {
    labels.set(pipeline, from ?? '');
    return pipeline;
  };
  const bound = <Target extends object>(
    target: Target,
    own: Partial<Record<keyof Target, unknown>>,
  ): Target =>
    new Proxy(target, {
      get(object, name) {
        if (name in own) return own[name as keyof Target];
        const value = Reflect.get(object, name, object);
        return typeof value === 'function' ? value.bind(object) : value;
      },
    });
  return bound(device, {
    createComputePipeline: (asked: GPUComputePipelineDescriptor) =>
      watch(device.createComputePipeline(asked), asked.label),
    createComputePipelineAsync: async (asked: GPUComputePipelineDescriptor) =>
      watch(await device.createComputePipelineAsync(asked), asked.label),
    createCommandEncoder(asked?: GPUCommandEncoderDescriptor) {
      const encoder = device.createCommandEncoder(asked);
      return bound(encoder, {
        finish: () => encoder.finish(),
        beginComputePass(how?: GPUComputePassDescriptor) {
          const pass = encoder.beginComputePass(how);
          let isDead = false;
          return bound(pass, {
            setPipeline(pipeline: GPUComputePipeline) {
              isDead = labels.get(pipeline) === dead.label;
              pass.setPipeline(pipeline);
            },
            dispatchWorkgroups(...counts: [number, number, number]) {
              if (!isDead) pass.dispatchWorkgroups(...counts);
            },
          });
        },
      });
    },
  });
}

// Kernels of other devices take SwiftShader minutes to compile; tests/gpu/webgpu compares those, too, with the CPU.
describeWebGpu('kernels of a software adapter', (gpu) => {
  const dead = { label: '' };
  let ops: Ops;
  beforeAll(async () => {
    const device = withDeadKernel(gpu.device, dead);
    ops = await createWebGpuOps({ device, capabilities: classes.software });
  }, 120_000);
  afterAll(() => ops?.destroy());

  test('pass where they are sound', { timeout: 400_000 }, async () => {
    expect(await selfTest(ops)).toBeNull();
    expect(await selfTestFamilies(ops)).toBeNull();
  });

  test.each(kernelsOf('software'))('%s that writes nothing is seen', async (kernel) => {
    dead.label = kernel;
    expect((await selfTest(ops)) ?? (await selfTestFamilies(ops))).toMatch(/differ from the CPU's/);
    dead.label = '';
  });
});
