import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import { elementsOf, inputOutput } from '../../webgpu/views';
import { checkSumHeads, type SumHeadsArguments } from './op';
import shader from './sum-heads.wgsl';

const kernels = defineElementKernels('sum-heads', 'f32', shader);

/** Encodes `Ops.sumHeads`. */
export function sumHeads(encoder: CommandEncoder, a: SumHeadsArguments): void {
  checkSumHeads(a);
  if (elementsOf(a.out) === 0) return;
  const { kernel, views } = inElements(kernels, { input: a.input, out: a.out });
  const { input, out } = views;
  encoder.dispatch({
    kernel,
    constants: { ACCUMULATE: a.accumulate ?? false },
    buffers: { input: input.buffer, out: out.buffer },
    parameters: [
      inputOutput({ ...input, heads: out.heads }, out),
      { perGroup: input.heads / out.heads, factor: a.factor ?? 1 },
    ],
    workgroups: linearGrid(Math.ceil(elementsOf(out) / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: elementsOf(a.input), bytes: 4 * (elementsOf(a.out) + elementsOf(a.input)) },
  });
}
