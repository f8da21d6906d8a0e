import type { DeviceBuffer } from '../rows';
import shader from './fill.wgsl';
import { linearGrid } from './grid';
import { defineKernel } from './kernel';
import type { Recorder } from './recorder';

const kernel = defineKernel('fill', shader);

/** Records that elements [offset, offset + count) get these bits: zeros, or numbers that WGSL cannot spell. */
export function fill(
  recorder: Recorder,
  out: DeviceBuffer,
  offset: number,
  count: number,
  bits: number,
): void {
  if (count === 0) return;
  recorder.dispatch({
    kernel,
    constants: {},
    buffers: { out },
    parameters: { offset, count, bits },
    workgroups: linearGrid(Math.ceil(count / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 4 * count },
  });
}
