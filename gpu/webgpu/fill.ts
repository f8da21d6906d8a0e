import type { DeviceBuffer } from '../rows';
import type { CommandEncoder } from './command-encoder';
import shader from './fill.wgsl';
import { linearGrid } from './grid';
import { defineKernel } from './kernel';

const kernel = defineKernel('fill', shader);

/** Encodes that elements [offset, offset + count) get these bits: zeros, or numbers that WGSL cannot spell. */
export function fill(
  encoder: CommandEncoder,
  out: DeviceBuffer,
  offset: number,
  count: number,
  bits: number,
): void {
  if (count === 0) return;
  encoder.dispatch({
    kernel,
    constants: {},
    buffers: { out },
    parameters: { offset, count, bits },
    workgroups: linearGrid(Math.ceil(count / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 4 * count },
  });
}
