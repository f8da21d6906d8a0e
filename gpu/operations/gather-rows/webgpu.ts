import { isHalf } from '../../rows';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements, ofVectors } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel, withParts } from '../../webgpu/kernel';
import { forHalves } from '../../wgsl/parts/stored';
import elementsCode from '../../wgsl/parts/stored-elements.wgsl';
import shader from './gather-rows.wgsl';
import { checkGatherRows, type GatherRowsArguments } from './op';

const kernels = defineElementKernels('gather-rows', 'f32', withParts(shader, elementsCode));
const ofHalves = forHalves('gather-rows-vectors', ofVectors('f32', shader), defineKernel);

/** Encodes `Ops.gatherRows`. */
export function gatherRows(encoder: CommandEncoder, a: GatherRowsArguments): void {
  checkGatherRows(a);
  if (a.out.rows * a.out.channels === 0) return;
  const { type } = a.table.buffer;
  const { kernel: ofFloats, views } = inElements(kernels, { table: a.table, out: a.out });
  const kernel = isHalf(type) ? ofHalves[type] : ofFloats;
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
