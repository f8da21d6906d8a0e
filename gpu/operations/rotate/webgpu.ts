import { matrixRows } from '../../rows';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import { elementsOf, inputOutput } from '../../webgpu/views';
import { checkRotate, type RotateArguments } from './op';
import shader from './rotate.wgsl';

const kernels = defineElementKernels('rotate', 'f32', shader);

/** Encodes `Ops.rotate`. */
export function rotate(encoder: CommandEncoder, a: RotateArguments): void {
  checkRotate(a);
  const { table, positions } = a;
  const elements = elementsOf(a.input);
  if (elements === 0) return;
  const { kernel, views, width } = inElements(kernels, {
    input: a.input,
    out: a.out,
    table: matrixRows(table.cosine, table.positions, table.frequencies),
  });
  const { input, out } = views;
  const frequencies = table.frequencies / width;
  const inPlace = input.buffer === out.buffer && input.offset === out.offset;
  const indexed = 'indices' in positions;
  const items = input.heads * input.rows * (input.channels - frequencies);
  encoder.dispatch({
    kernel,
    constants: { HAS_INDICES: indexed, IN_PLACE: inPlace },
    buffers: {
      input: inPlace ? encoder.unused : input.buffer,
      cosine: table.cosine,
      sine: table.sine,
      indices: indexed ? positions.indices : encoder.unusedIntegers,
      out: out.buffer,
    },
    parameters: [
      inputOutput(input, out),
      {
        frequencies,
        positionOffset: indexed ? positions.offset : 0,
        start: indexed ? 0 : positions.start,
        step: indexed ? 0 : positions.step,
      },
    ],
    workgroups: linearGrid(Math.ceil(items / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 3 * elements, bytes: 12 * elements },
  });
}
