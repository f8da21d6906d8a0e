import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import { elementsOf, inputOutput } from '../../webgpu/views';
import shader from './copy-rows.wgsl';
import { type CopyRowsArguments, checkCopyRows } from './op';

const kernels = defineElementKernels('copy-rows', 'u32', shader);

/** Encodes `Ops.copyRows`. */
export function copyRows(encoder: CommandEncoder, a: CopyRowsArguments): void {
  checkCopyRows(a);
  if (elementsOf(a.out) === 0) return;
  const { kernel, views } = inElements(kernels, { input: a.input, out: a.out });
  const { input, out } = views;
  const elements = elementsOf(out);
  encoder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, out: out.buffer },
    parameters: inputOutput(input, out),
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * elementsOf(a.out) },
  });
}
