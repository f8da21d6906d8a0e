import { CommandEncoder } from '../gpu/webgpu/command-encoder';
import { openDevice } from '../gpu/webgpu/device';
import { linearGrid } from '../gpu/webgpu/grid';
import { defineKernel } from '../gpu/webgpu/kernel';
import readShader from './kernels/read.wgsl';
import { timeRepeated } from './timing';

const read = defineKernel('read', readShader);
const WORKGROUP = 256;
/** Vectors of four numbers that a thread reads, where there are enough. */
const VECTORS_PER_THREAD = 4;

/** Milliseconds that it takes just to read so many numbers: what no kernel that looks at all of them can beat. */
export async function measureReading(device: GPUDevice, numbers: number): Promise<number> {
  const encoder = new CommandEncoder(await openDevice({ device }));
  const vectors = Math.ceil(numbers / 4);
  const threads = Math.ceil(vectors / VECTORS_PER_THREAD);
  const input = encoder.upload(new Float32Array(4 * vectors).fill(1), 'input');
  const out = encoder.allocate('f32', threads, 'sums');
  const encode = () =>
    encoder.dispatch({
      kernel: read,
      constants: {},
      buffers: { input, out },
      parameters: { vectors, threads },
      workgroups: linearGrid(Math.ceil(threads / WORKGROUP), encoder.maxWorkgroupsPerDimension),
      work: { flops: 4 * vectors, bytes: 16 * vectors },
    });
  encode();
  let sum = 0;
  for (const part of new Float32Array(await encoder.read(out, 0, threads))) sum += part;
  if (sum !== 4 * vectors) throw new Error(`the reading kernel sums ${4 * vectors} ones to ${sum}`);
  const milliseconds = await timeRepeated(() => encoder.stopwatch(), encode);
  encoder.destroy();
  return milliseconds;
}
