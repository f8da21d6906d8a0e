import { type Arguments, checkRotate } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { elementsOf, inputOutput } from '../views';
import code from './rotate.wgsl?raw';

const kernel = defineKernel('rotate', code, {
  input: 'read',
  cosine: 'read',
  sine: 'read',
  indices: 'read',
  out: 'write',
});

/** Records `Ops.rotate`. */
export function rotate(recorder: Recorder, a: Arguments<'rotate'>): void {
  checkRotate(a);
  const { input, out, table, positions } = a;
  const elements = elementsOf(input);
  if (elements === 0) return;
  const inPlace = input.buffer === out.buffer && input.offset === out.offset;
  const indexed = 'indices' in positions;
  const items = input.heads * input.rows * (input.channels - table.frequencies);
  recorder.dispatch({
    kernel,
    constants: { HAS_INDICES: indexed, IN_PLACE: inPlace },
    buffers: {
      input: inPlace ? recorder.unused : input.buffer,
      cosine: table.cosine,
      sine: table.sine,
      indices: indexed ? positions.indices : recorder.unusedIntegers,
      out: out.buffer,
    },
    parameters: {
      ...inputOutput(input, out),
      frequencies: table.frequencies,
      positionOffset: indexed ? positions.offset : 0,
      start: indexed ? 0 : positions.start,
      step: indexed ? 0 : positions.step,
    },
    workgroups: linearGrid(Math.ceil(items / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 3 * elements, bytes: 12 * elements },
  });
}
