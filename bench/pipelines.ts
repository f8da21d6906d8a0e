import type { CompileStage } from '../gpu/ops';
import { createWebGpuOps } from '../gpu/webgpu';
import type { Section } from './section';

const STAGES: readonly { readonly stage: CompileStage; readonly title: string }[] = [
  { stage: 'selfTest', title: 'the self-test' },
  { stage: 'reading', title: 'reading' },
  { stage: 'measuring', title: 'measuring' },
  { stage: 'study', title: 'all of it' },
];

// Kept: Dawn's instance must outlive its adapters and devices.
let instance: GPU | undefined;

/** How many pipelines the study that the page opens with takes, and how long a new device compiles them. */
export const pipelines: Section = {
  name: 'pipelines',
  title: 'Pipelines of the study that the page opens with, compiled on a new device at once',
  needsGpu: true,
  async run({ print, figure }) {
    const { create } = await import('webgpu');
    instance ??= create([]);
    const ops = await createWebGpuOps({ gpu: instance, powerPreference: 'high-performance' });
    const start = performance.now();
    const stages = STAGES.map(({ stage, title }) => ({ title, prepared: ops.warmUp(stage) }));
    const ready: { title: string; milliseconds: number }[] = [];
    for (const { prepared, title } of stages) {
      await prepared;
      ready.push({ title, milliseconds: performance.now() - start });
    }
    const pipelines = ops.pipelinesInUse().length;
    const times = ready.map(
      ({ title, milliseconds }) => `${title} after ${(milliseconds / 1000).toFixed(2)} s`,
    );
    print(`${pipelines} pipelines; ready for ${times.join(', ')}`);
    figure('pipelines', { pipelines, ready });
    ops.destroy();
  },
};
