import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import type { Recorder } from '../../webgpu/recorder';
import { elementsOf, inputOutput } from '../../webgpu/views';
import shader from './normalize.wgsl';
import { checkNormalize, type NormalizeArguments } from './op';

const kernels = defineElementKernels('normalize', 'f32', shader);

const THREADS = 64;

/** Records `Ops.normalize`. */
export function normalize(recorder: Recorder, a: NormalizeArguments): void {
  checkNormalize(a);
  const elements = elementsOf(a.input);
  if (elements === 0) return;
  const { kernel, views, width } = inElements(kernels, { input: a.input, out: a.out });
  const { input, out } = views;
  const inPlace = input.buffer === out.buffer && input.offset === out.offset;
  // Many short rows (heads of queries and keys) share a workgroup, long ones have one to themselves.
  const lanes = recorder.emulatesThreads ? 1 : a.input.channels <= 256 ? 8 : 64;
  recorder.dispatch({
    kernel,
    constants: {
      LANES: lanes,
      CENTRED: a.kind === 'layer',
      HAS_BIAS: a.bias !== undefined,
      IN_PLACE: inPlace,
    },
    buffers: {
      input: inPlace ? recorder.unused : input.buffer,
      weight: a.weight,
      bias: a.bias ?? recorder.unused,
      out: out.buffer,
    },
    parameters: [inputOutput(input, out), { width, epsilon: a.epsilon }],
    workgroups: linearGrid(
      Math.ceil((input.heads * input.rows * lanes) / THREADS),
      recorder.maxWorkgroupsPerDimension,
    ),
    work: { flops: 6 * elements, bytes: 12 * elements },
  });
}
