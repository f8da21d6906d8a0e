import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { checkSegmentRanks, type SegmentRanksArguments } from './op';
import shader from './segment-ranks.wgsl';

const kernel = defineKernel('segment-ranks', shader);

/** Encodes `Ops.segmentRanks`. */
export function segmentRanks(encoder: CommandEncoder, a: SegmentRanksArguments): void {
  checkSegmentRanks(a);
  const { input, out, segmentLength } = a;
  const elements = input.rows * input.length;
  if (elements === 0) return;
  encoder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, out: out.buffer },
    parameters: {
      rows: input.rows,
      length: input.length,
      segmentLength,
      inputOffset: input.offset,
      inputRowStride: input.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 2 * elements * segmentLength, bytes: 8 * elements },
  });
}
