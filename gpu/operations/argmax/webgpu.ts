import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import shader from './argmax.wgsl';
import { type ArgmaxArguments, checkArgmax } from './op';

const kernel = defineKernel('argmax', shader);

/** About two vectors a thread where the device has so many; those of a software adapter, which wait for each other one by one, are few. */
function threadsFor(encoder: CommandEncoder, channels: number): { THREADS: number; GROUP: number } {
  if (encoder.isSoftwareAdapter) return { THREADS: 16, GROUP: 16 };
  const { maxInvocationsPerWorkgroup } = encoder.capabilities;
  const threads = channels <= 512 ? 64 : channels <= 8192 ? 256 : Math.min(1024, maxInvocationsPerWorkgroup);
  return { THREADS: threads, GROUP: 32 };
}

/** Encodes `Ops.argmax`. */
export function argmax(encoder: CommandEncoder, a: ArgmaxArguments): void {
  checkArgmax(a);
  const { input } = a;
  if (input.rows === 0) return;
  encoder.dispatch({
    kernel,
    constants: threadsFor(encoder, input.channels),
    buffers: { input: input.buffer, out: a.out },
    parameters: {
      rows: input.rows,
      channels: input.channels,
      inputOffset: input.offset,
      inputRowStride: input.rowStride,
      outOffset: a.outOffset,
    },
    workgroups: linearGrid(input.rows, encoder.maxWorkgroupsPerDimension),
    work: { flops: input.rows * input.channels, bytes: 4 * input.rows * input.channels },
  });
}
