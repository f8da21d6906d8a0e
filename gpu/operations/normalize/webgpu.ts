import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import { elementsOf, inputOutput } from '../../webgpu/views';
import shader from './normalize.wgsl';
import { checkNormalize, type NormalizeArguments } from './op';

const kernels = defineElementKernels('normalize', 'f32', shader);

const THREADS = 64;

/** Encodes `Ops.normalize`. */
export function normalize(encoder: CommandEncoder, a: NormalizeArguments): void {
  checkNormalize(a);
  const elements = elementsOf(a.input);
  if (elements === 0) return;
  const { kernel, views, width } = inElements(kernels, { input: a.input, out: a.out });
  const { input, out } = views;
  const inPlace = input.buffer === out.buffer && input.offset === out.offset;
  // Many short rows (heads of queries and keys) share a workgroup, long ones have one to themselves.
  const lanes = encoder.isSoftwareAdapter ? 1 : a.input.channels <= 256 ? 8 : 64;
  encoder.dispatch({
    kernel,
    constants: {
      LANES: lanes,
      CENTRED: a.kind === 'layer',
      HAS_BIAS: a.bias !== undefined,
      IN_PLACE: inPlace,
    },
    buffers: {
      input: inPlace ? encoder.unused : input.buffer,
      weight: a.weight,
      bias: a.bias ?? encoder.unused,
      out: out.buffer,
    },
    parameters: [inputOutput(input, out), { width, epsilon: a.epsilon }],
    workgroups: linearGrid(
      Math.ceil((input.heads * input.rows * lanes) / THREADS),
      encoder.maxWorkgroupsPerDimension,
    ),
    work: { flops: 6 * elements, bytes: 12 * elements },
  });
}
