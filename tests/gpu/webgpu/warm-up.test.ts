import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { warmUpListOf } from '../../../bench/warm-up-list';
import { createWebGpuOps } from '../../../gpu/webgpu';
import { kernelNamed } from '../../../gpu/webgpu/kernel';
import { DEVICE_CLASSES } from '../../../gpu/webgpu/warm-up-list';
import known from '../../../gpu/webgpu/warm-up-list.json';
import { root } from '../../../scripts/setup.mjs';
import { nodeEnvironment } from '../../../src/cli/node-environment';
import { selfTest } from '../../../src/engine/self-test';
import { nodeFolder } from '../../../src/model/files/folder-node';
import { describeWebGpu } from '../../webgpu-node';

const environment = {
  ...nodeEnvironment(),
  modelFolder: () => nodeFolder(join(root, 'samples', 'model')),
};

describe('pipelines that are compiled while the page starts', () => {
  it.each(DEVICE_CLASSES)(
    'are most of what the default study takes, few, and in its order: %s',
    async (name) => {
      const noted = await warmUpListOf(name, environment);
      const listed = known[name] as unknown as typeof noted;
      const keys = (stages: typeof noted) =>
        Object.values(stages)
          .flat()
          .map((pipeline) => JSON.stringify(pipeline));
      const taken = keys(noted);
      const inList = new Set(keys(listed));
      const missing = taken.filter((key) => !inList.has(key));
      expect(taken.length).toBeGreaterThan(15);
      expect(taken.length).toBeLessThan(45);
      // A few that are missing cost time; many say that the list is old.
      const hint = `${missing.join(' ')}: run node scripts/warm-up-list.mjs`;
      expect(missing.length, hint).toBeLessThanOrEqual(taken.length / 5);
      expect(inList.size, hint).toBeLessThanOrEqual(taken.length * 1.25);
      const names = Object.values(listed).flatMap((pipelines) => pipelines.map(({ kernel }) => kernel));
      const gone = names.filter((kernel) => !kernelNamed(kernel));
      expect(gone.length, `${gone.join(' ')}: run node scripts/warm-up-list.mjs`).toBeLessThanOrEqual(5);
    },
  );
});

describeWebGpu('preparing for a study', (gpu) => {
  it('leaves the self-test next to nothing to compile', async () => {
    const ops = await createWebGpuOps({
      device: gpu.device,
      capabilities: { isFallbackAdapter: true, parallelThreads: 16 },
    });
    await ops.warmUp('selfTest');
    const compile = vi.spyOn(gpu.device, 'createComputePipeline');
    expect(await selfTest(ops)).toBeNull();
    expect(compile.mock.calls.length).toBeLessThanOrEqual(1);
    compile.mockRestore();
    ops.destroy();
  });

  it('compiles a stage once', async () => {
    const ops = await createWebGpuOps({
      device: gpu.device,
      capabilities: { isFallbackAdapter: true, parallelThreads: 16 },
    });
    expect(ops.pipelinesInUse()).toEqual([]);
    const compile = vi.spyOn(gpu.device, 'createComputePipelineAsync');
    await Promise.all([ops.warmUp('reading'), ops.warmUp('reading')]);
    await ops.warmUp('reading');
    expect(compile.mock.calls.length).toBe(known.software.reading.length);
    expect(ops.pipelinesInUse()).toEqual(known.software.reading);
    compile.mockRestore();
    ops.destroy();
  });
});
