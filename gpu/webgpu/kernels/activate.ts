import { type Arguments, checkActivate } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { elementsOf, inputOutput } from '../views';
import code from './activate.wgsl?raw';

const kernel = defineKernel('activate', code, { input: 'read', out: 'write' });

/** Records `Ops.activate`. */
export function activate(recorder: Recorder, a: Arguments<'activate'>): void {
  checkActivate(a);
  const { input, out, kind } = a;
  const elements = elementsOf(input);
  if (elements === 0) return;
  const inPlace = input.buffer === out.buffer && input.offset === out.offset;
  recorder.dispatch({
    kernel,
    constants: { GELU_TANH: kind === 'gelu-tanh', GELU: kind === 'gelu', IN_PLACE: inPlace },
    buffers: { input: inPlace ? recorder.unused : input.buffer, out: out.buffer },
    parameters: inputOutput(input, out),
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 16 * elements, bytes: 8 * elements },
  });
}
