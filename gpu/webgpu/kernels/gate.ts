import type { Rows } from '../../rows';
import { type Arguments, checkGate } from '../../validate';
import { linearGrid } from '../grid';
import { defineKernel } from '../kernel';
import type { Recorder } from '../recorder';
import { elementsOf } from '../views';
import code from './gate.wgsl?raw';

const kernel = defineKernel('gate', code, { gate: 'read', up: 'read', out: 'write' });

/** Records `Ops.gate`. */
export function gate(recorder: Recorder, a: Arguments<'gate'>): void {
  checkGate(a);
  const { up, out } = a;
  const elements = elementsOf(out);
  if (elements === 0) return;
  const isOut = (view: Rows) => view.buffer === out.buffer && view.offset === out.offset;
  const gateInPlace = isOut(a.gate);
  const upInPlace = isOut(up);
  recorder.dispatch({
    kernel,
    constants: { GATE_IN_PLACE: gateInPlace, UP_IN_PLACE: upInPlace },
    buffers: {
      gate: gateInPlace ? recorder.unused : a.gate.buffer,
      up: upInPlace ? recorder.unused : up.buffer,
      out: out.buffer,
    },
    parameters: {
      rows: out.rows,
      channels: out.channels,
      gateOffset: a.gate.offset,
      gateRowStride: a.gate.rowStride,
      upOffset: up.offset,
      upRowStride: up.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), recorder.maxWorkgroupsPerDimension),
    work: { flops: 8 * elements, bytes: 12 * elements },
  });
}
