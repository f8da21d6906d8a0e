import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import scanCode from '../../wgsl/parts/workgroup-scan.wgsl';
import shader from './list-above.wgsl';
import { checkListAbove, type ListAboveArguments } from './op';

const kernel = defineKernel('list-above', withParts(shader, scanCode));

/** Encodes `Ops.listAbove`. */
export function listAbove(encoder: CommandEncoder, a: ListAboveArguments): void {
  checkListAbove(a);
  const { score, threshold, out } = a;
  if (out.sets === 0) return;
  const elements = score.rows * score.length;
  encoder.dispatch({
    kernel,
    constants: { THREADS: encoder.isSoftwareAdapter ? 32 : 128 },
    buffers: { score: score.buffer, out: out.buffer },
    parameters: {
      rows: score.rows,
      length: score.length,
      threshold,
      scoreOffset: score.offset,
      scoreRowStride: score.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      countsOffset: out.countsOffset!,
    },
    workgroups: linearGrid(out.sets, encoder.maxWorkgroupsPerDimension),
    work: { flops: 2 * elements, bytes: 8 * elements },
  });
}
