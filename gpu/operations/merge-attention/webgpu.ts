import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { elementsOf } from '../../webgpu/views';
import shader from './merge-attention.wgsl';
import { checkMergeAttention, type MergeAttentionArguments } from './op';

const kernel = defineKernel('merge-attention', shader);

/** Encodes `Ops.mergeAttention`. */
export function mergeAttention(encoder: CommandEncoder, a: MergeAttentionArguments): void {
  checkMergeAttention(a);
  const { into, from } = a;
  const rows = into.out.heads * into.out.rows;
  if (rows === 0) return;
  const lanes = encoder.isSoftwareAdapter ? 1 : 16;
  encoder.dispatch({
    kernel,
    constants: { LANES: lanes },
    buffers: {
      fromOut: from.out.buffer,
      fromLogSumExp: from.logSumExp.buffer,
      intoOut: into.out.buffer,
      intoLogSumExp: into.logSumExp.buffer,
    },
    parameters: {
      heads: into.out.heads,
      rows: into.out.rows,
      channels: into.out.channels,
      fromOffset: from.out.offset,
      fromHeadStride: from.out.headStride,
      fromRowStride: from.out.rowStride,
      intoOffset: into.out.offset,
      intoHeadStride: into.out.headStride,
      intoRowStride: into.out.rowStride,
      fromScalarOffset: from.logSumExp.offset,
      fromScalarHeadStride: from.logSumExp.headStride,
      intoScalarOffset: into.logSumExp.offset,
      intoScalarHeadStride: into.logSumExp.headStride,
    },
    workgroups: linearGrid(Math.ceil((rows * lanes) / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 3 * elementsOf(into.out), bytes: 12 * elementsOf(into.out) },
  });
}
