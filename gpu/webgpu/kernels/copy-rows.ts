import { type Arguments, checkCopyRows } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { elementsOf, inputOutput } from '../views';
import code from './copy-rows.wgsl?raw';

const kernel = defineKernel('copy-rows', code, { input: 'read', out: 'write' });

/** Records `Ops.copyRows`. */
export function copyRows(recorder: Recorder, a: Arguments<'copyRows'>): void {
  checkCopyRows(a);
  const { input, out } = a;
  const elements = elementsOf(input);
  if (elements === 0) return;
  recorder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, out: out.buffer },
    parameters: inputOutput(input, out),
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * elements },
  });
}
