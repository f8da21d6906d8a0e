import { type Arguments, checkArgmax } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import code from './argmax.wgsl?raw';

const kernel = defineKernel('argmax', code, { input: 'read', out: 'write' });

/** Records `Ops.argmax`. */
export function argmax(recorder: Recorder, a: Arguments<'argmax'>): void {
  checkArgmax(a);
  const { input } = a;
  if (input.rows === 0) return;
  recorder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, out: a.out },
    parameters: {
      rows: input.rows,
      channels: input.channels,
      inputOffset: input.offset,
      inputRowStride: input.rowStride,
      outOffset: a.outOffset,
    },
    workgroups: linearGrid(input.rows, recorder.maxWorkgroupsPerDimension),
    work: { flops: input.rows * input.channels, bytes: 4 * input.rows * input.channels },
  });
}
