import { type OpenedDevice, openDevice } from '../gpu/webgpu/device';
import { linearGrid } from '../gpu/webgpu/grid';
import { defineKernel } from '../gpu/webgpu/kernel';
import { Recorder } from '../gpu/webgpu/recorder';
import copyShader from './kernels/copy.wgsl';
import fmaShader from './kernels/fma.wgsl';
import { timeRepeated } from './timing';

/** What the device can do at most, by two kernels that do nothing else. */
export interface Peak {
  readonly flopsPerSecond: number;
  readonly bytesPerSecond: number;
}

const fma = defineKernel('fma', fmaShader);
const copy = defineKernel('copy', copyShader);
const STEPS_PER_ROUND = 16;
const FLOPS_PER_ROUND = STEPS_PER_ROUND * 8 * 4 * 2;

/** Measures both peaks, after checking what the kernels compute. */
export async function measurePeak(device: GPUDevice): Promise<Peak> {
  const opened: OpenedDevice = await openDevice({ device });
  const recorder = new Recorder(opened);
  const isSoftware = opened.capabilities.isFallbackAdapter;
  const flopsPerSecond = await measureArithmetic(
    recorder,
    isSoftware ? 256 : 2 ** 18,
    isSoftware ? 125 : 500,
  );
  const bytesPerSecond = await measureCopy(recorder, isSoftware ? 2 ** 18 : 2 ** 23);
  recorder.destroy();
  return { flopsPerSecond, bytesPerSecond };
}

async function measureArithmetic(recorder: Recorder, threads: number, rounds: number): Promise<number> {
  const out = recorder.allocate('f32', threads, 'sums');
  const record = (parameters: { rounds: number; factor: number }) =>
    recorder.dispatch({
      kernel: fma,
      constants: {},
      buffers: { out },
      parameters,
      workgroups: linearGrid(threads / 64, recorder.maxWorkgroupsPerDimension),
      work: { flops: threads * rounds * FLOPS_PER_ROUND, bytes: 0 },
    });
  // x ← x/2 + 1/2 sixteen times: 1 + (x − 1)/2¹⁶, summed over 4 · (s, s + 1, …, s + 7); all of it exact in 32 bits.
  record({ rounds: 1, factor: 0.5 });
  const sums = new Float32Array(await recorder.read(out, 0, 2));
  const expected = [0, 1].map((start) => 32 + (32 * start + 80) / 2 ** STEPS_PER_ROUND);
  if (expected.some((sum, start) => sums[start] !== sum))
    throw new Error(`the arithmetic kernel gives ${sums.join(' and ')}, not ${expected.join(' and ')}`);
  const milliseconds = await timeRepeated(
    () => recorder.stopwatch(),
    () => record({ rounds, factor: 0.5 }),
  );
  recorder.release(out);
  return (threads * rounds * FLOPS_PER_ROUND * 1000) / milliseconds;
}

async function measureCopy(recorder: Recorder, vectors: number): Promise<number> {
  const input = recorder.upload(
    Float32Array.from({ length: 4 * vectors }, (_, i) => i),
    'input',
  );
  const out = recorder.allocate('f32', 4 * vectors, 'copy');
  const record = () =>
    recorder.dispatch({
      kernel: copy,
      constants: {},
      buffers: { input, out },
      parameters: { vectors },
      workgroups: linearGrid(vectors / 64, recorder.maxWorkgroupsPerDimension),
      work: { flops: 0, bytes: 32 * vectors },
    });
  record();
  const [last] = new Float32Array(await recorder.read(out, 4 * vectors - 1, 1));
  if (last !== Math.fround(4 * vectors - 1))
    throw new Error(`the copy kernel gives ${last}, not ${4 * vectors - 1}`);
  const milliseconds = await timeRepeated(() => recorder.stopwatch(), record);
  recorder.release(input);
  recorder.release(out);
  return (32 * vectors * 1000) / milliseconds;
}
