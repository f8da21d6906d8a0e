import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { checkSparseQueries, type SparseQueriesArguments } from './op';
import shader from './sparse-queries.wgsl';

const kernel = defineKernel('sparse-queries', shader);

/** Encodes `Ops.sparseQueries`. */
export function sparseQueries(encoder: CommandEncoder, a: SparseQueriesArguments): void {
  checkSparseQueries(a);
  const { query, groups, out } = a;
  const { heads, rows, channels } = query;
  if (heads === 0 || rows === 0 || channels === 0) return;
  encoder.dispatch({
    kernel,
    constants: { CHANNELS: channels, HEADS: heads / groups },
    buffers: { query: query.buffer, out: out.buffer },
    parameters: {
      items: groups * rows,
      rows,
      count: a.count,
      queryOffset: query.offset,
      queryHeadStride: query.headStride,
      queryRowStride: query.rowStride,
      outOffset: out.offset,
      outHeadStride: out.headStride,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(groups * rows, encoder.maxWorkgroupsPerDimension),
    work: { flops: 6 * heads * rows * channels, bytes: 8 * heads * rows * channels },
  });
}
