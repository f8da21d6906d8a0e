import { type Arguments, checkCopyRows } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { elementsOf, hasVectors, inputOutput, inVectors } from '../views';
import code from './copy-rows.wgsl?raw';

const bindings = { input: 'read', out: 'write' } as const;
const scalars = defineKernel('copy-rows', `alias Element = u32; ${code}`, bindings);
const vectors = defineKernel('copy-rows-vectors', `alias Element = vec4u; ${code}`, bindings);

/** Records `Ops.copyRows`. */
export function copyRows(recorder: Recorder, a: Arguments<'copyRows'>): void {
  checkCopyRows(a);
  if (elementsOf(a.out) === 0) return;
  const isVectors = hasVectors(a.input) && hasVectors(a.out);
  const input = isVectors ? inVectors(a.input) : a.input;
  const out = isVectors ? inVectors(a.out) : a.out;
  const elements = elementsOf(out);
  recorder.dispatch({
    kernel: isVectors ? vectors : scalars,
    constants: {},
    buffers: { input: input.buffer, out: out.buffer },
    parameters: inputOutput(input, out),
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * elementsOf(a.out) },
  });
}
