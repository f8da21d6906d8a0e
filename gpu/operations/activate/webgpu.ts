import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import { elementsOf, inputOutput } from '../../webgpu/views';
import shader from './activate.wgsl';
import { type ActivateArguments, checkActivate } from './op';

const kernels = defineElementKernels('activate', 'f32', shader);

/** Encodes `Ops.activate`. */
export function activate(encoder: CommandEncoder, a: ActivateArguments): void {
  checkActivate(a);
  const { kind } = a;
  if (elementsOf(a.input) === 0) return;
  const { kernel, views, width } = inElements(kernels, { input: a.input, out: a.out });
  const { input, out } = views;
  const elements = elementsOf(input);
  const inPlace = input.buffer === out.buffer && input.offset === out.offset;
  encoder.dispatch({
    kernel,
    constants: {
      GELU_TANH: kind === 'gelu-tanh',
      GELU: kind === 'gelu',
      SOFT_CAP: kind === 'soft-cap',
      IN_PLACE: inPlace,
    },
    buffers: { input: inPlace ? encoder.unused : input.buffer, out: out.buffer },
    parameters: [inputOutput(input, out), { cap: a.cap ?? 1 }],
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 16 * width * elements, bytes: 8 * width * elements },
  });
}
