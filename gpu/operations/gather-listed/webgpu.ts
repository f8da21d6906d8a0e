import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import { elementsOf } from '../../webgpu/views';
import shader from './gather-listed.wgsl';
import { checkGatherListed, type GatherListedArguments } from './op';

// Copies bits, whatever they stand for.
const kernels = defineElementKernels('gather-listed', 'u32', shader);

/** Encodes `Ops.gatherListed`. */
export function gatherListed(encoder: CommandEncoder, a: GatherListedArguments): void {
  checkGatherListed(a);
  if (elementsOf(a.out) === 0) return;
  const { list } = a;
  const { kernel, views } = inElements(kernels, { input: a.input, out: a.out });
  const { input, out } = views;
  encoder.dispatch({
    kernel,
    constants: { HAS_COUNTS: list.countsOffset !== undefined },
    buffers: { input: input.buffer, list: list.buffer, out: out.buffer },
    parameters: {
      heads: out.heads,
      rows: out.rows,
      channels: out.channels,
      inputRows: input.rows,
      headsPerInput: out.heads / input.heads,
      headsPerSet: out.heads / list.sets,
      inputOffset: input.offset,
      inputHeadStride: input.headStride,
      inputRowStride: input.rowStride,
      listOffset: list.offset,
      listRowStride: list.rowStride,
      countsOffset: list.countsOffset ?? 0,
      outOffset: out.offset,
      outHeadStride: out.headStride,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elementsOf(out) / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * elementsOf(a.out) },
  });
}
