import { CommandEncoder } from '../gpu/webgpu/command-encoder';
import { type OpenedDevice, openDevice } from '../gpu/webgpu/device';
import { linearGrid } from '../gpu/webgpu/grid';
import { defineKernel } from '../gpu/webgpu/kernel';
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
  const encoder = new CommandEncoder(opened);
  const isSoftware = opened.capabilities.isFallbackAdapter;
  const flopsPerSecond = await measureArithmetic(encoder, isSoftware ? 256 : 2 ** 18, isSoftware ? 125 : 500);
  const bytesPerSecond = await measureCopy(encoder, isSoftware ? 2 ** 18 : 2 ** 23);
  encoder.destroy();
  return { flopsPerSecond, bytesPerSecond };
}

async function measureArithmetic(encoder: CommandEncoder, threads: number, rounds: number): Promise<number> {
  const out = encoder.allocate('f32', threads, 'sums');
  const encode = (parameters: { rounds: number; factor: number }) =>
    encoder.dispatch({
      kernel: fma,
      constants: {},
      buffers: { out },
      parameters,
      workgroups: linearGrid(threads / 64, encoder.maxWorkgroupsPerDimension),
      work: { flops: threads * rounds * FLOPS_PER_ROUND, bytes: 0 },
    });
  // x ← x/2 + 1/2 sixteen times: 1 + (x − 1)/2¹⁶, summed over 4 · (s, s + 1, …, s + 7); all of it exact in 32 bits.
  encode({ rounds: 1, factor: 0.5 });
  const sums = new Float32Array(await encoder.read(out, 0, 2));
  const expected = [0, 1].map((start) => 32 + (32 * start + 80) / 2 ** STEPS_PER_ROUND);
  if (expected.some((sum, start) => sums[start] !== sum))
    throw new Error(`the arithmetic kernel gives ${sums.join(' and ')}, not ${expected.join(' and ')}`);
  const milliseconds = await timeRepeated(
    () => encoder.stopwatch(),
    () => encode({ rounds, factor: 0.5 }),
  );
  encoder.release(out);
  return (threads * rounds * FLOPS_PER_ROUND * 1000) / milliseconds;
}

async function measureCopy(encoder: CommandEncoder, vectors: number): Promise<number> {
  const input = encoder.upload(
    Float32Array.from({ length: 4 * vectors }, (_, i) => i),
    'input',
  );
  const out = encoder.allocate('f32', 4 * vectors, 'copy');
  const encode = () =>
    encoder.dispatch({
      kernel: copy,
      constants: {},
      buffers: { input, out },
      parameters: { vectors },
      workgroups: linearGrid(vectors / 64, encoder.maxWorkgroupsPerDimension),
      work: { flops: 0, bytes: 32 * vectors },
    });
  encode();
  const [last] = new Float32Array(await encoder.read(out, 4 * vectors - 1, 1));
  if (last !== Math.fround(4 * vectors - 1))
    throw new Error(`the copy kernel gives ${last}, not ${4 * vectors - 1}`);
  const milliseconds = await timeRepeated(() => encoder.stopwatch(), encode);
  encoder.release(input);
  encoder.release(out);
  return (32 * vectors * 1000) / milliseconds;
}
