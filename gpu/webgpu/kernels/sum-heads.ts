import { type Arguments, checkSumHeads } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { elementsOf, inputOutput } from '../views';
import code from './sum-heads.wgsl?raw';

const kernel = defineKernel('sum-heads', code, { input: 'read', out: 'write' });

/** Records `Ops.sumHeads`. */
export function sumHeads(recorder: Recorder, a: Arguments<'sumHeads'>): void {
  checkSumHeads(a);
  const { input, out } = a;
  const elements = elementsOf(out);
  if (elements === 0) return;
  recorder.dispatch({
    kernel,
    constants: {},
    buffers: { input: input.buffer, out: out.buffer },
    parameters: {
      ...inputOutput(input, out),
      heads: out.heads,
      perGroup: input.heads / out.heads,
      factor: a.factor ?? 1,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: elementsOf(input), bytes: 4 * (elements + elementsOf(input)) },
  });
}
