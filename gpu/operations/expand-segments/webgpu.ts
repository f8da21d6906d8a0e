import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import shader from './expand-segments.wgsl';
import { checkExpandSegments, type ExpandSegmentsArguments } from './op';

const kernel = defineKernel('expand-segments', shader);

/** Encodes `Ops.expandSegments`. */
export function expandSegments(encoder: CommandEncoder, a: ExpandSegmentsArguments): void {
  checkExpandSegments(a);
  const { input, out } = a;
  const elements = out.rows * out.length;
  if (elements === 0) return;
  encoder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, out: out.buffer },
    parameters: {
      rows: out.rows,
      length: out.length,
      segmentLength: Math.min(a.segmentLength, out.length),
      inputOffset: input.offset,
      inputRowStride: input.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * elements },
  });
}
