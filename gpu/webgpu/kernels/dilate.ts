import { type Arguments, checkDilate } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import code from './dilate.wgsl?raw';

const kernel = defineKernel('dilate', code, { input: 'read', out: 'write' });

/** Records `Ops.dilate`. */
export function dilate(recorder: Recorder, a: Arguments<'dilate'>): void {
  checkDilate(a);
  const { input, out } = a;
  const elements = input.rows * input.length;
  if (elements === 0) return;
  // More than the row is the row.
  const radius = Math.min(a.radius, input.length);
  recorder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, out: out.buffer },
    parameters: {
      rows: input.rows,
      length: input.length,
      radius,
      inputOffset: input.offset,
      inputRowStride: input.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 4 * elements * (2 * radius + 1), bytes: 8 * elements },
  });
}
