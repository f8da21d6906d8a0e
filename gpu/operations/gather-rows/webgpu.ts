import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import shader from './gather-rows.wgsl';
import { checkGatherRows, type GatherRowsArguments } from './op';

const kernels = defineElementKernels('gather-rows', 'f32', shader);

/** Encodes `Ops.gatherRows`. */
export function gatherRows(encoder: CommandEncoder, a: GatherRowsArguments): void {
  checkGatherRows(a);
  if (a.out.rows * a.out.channels === 0) return;
  const { kernel, views } = inElements(kernels, { table: a.table, out: a.out });
  const { table, out } = views;
  const elements = out.rows * out.channels;
  encoder.dispatch({
    kernel,
    constants: { ACCUMULATE: a.accumulate === true },
    buffers: { table: table.buffer, indices: a.indices, out: out.buffer },
    parameters: {
      tableRows: table.rows,
      rows: out.rows,
      channels: out.channels,
      tableOffset: table.offset,
      tableRowStride: table.rowStride,
      indexOffset: a.indexOffset,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * a.out.rows * a.out.channels },
  });
}
