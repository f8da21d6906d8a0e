import type { Rows } from '../../rows';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { defineElementKernels, inElements } from '../../webgpu/elements';
import { linearGrid } from '../../webgpu/grid';
import { elementsOf } from '../../webgpu/views';
import shader from './gate.wgsl';
import { checkGate, type GateArguments } from './op';

const kernels = defineElementKernels('gate', 'f32', shader);

/** Encodes `Ops.gate`. */
export function gate(encoder: CommandEncoder, a: GateArguments): void {
  checkGate(a);
  if (elementsOf(a.out) === 0) return;
  const { kernel, views, width } = inElements(kernels, { gate: a.gate, up: a.up, out: a.out });
  const { gate, up, out } = views;
  const isOut = (view: Rows) => view.buffer === out.buffer && view.offset === out.offset;
  const gateInPlace = isOut(gate);
  const upInPlace = isOut(up);
  const elements = elementsOf(out);
  encoder.dispatch({
    kernel,
    constants: { GELU_TANH: a.kind === 'gelu-tanh', GATE_IN_PLACE: gateInPlace, UP_IN_PLACE: upInPlace },
    buffers: {
      gate: gateInPlace ? encoder.unused : gate.buffer,
      up: upInPlace ? encoder.unused : up.buffer,
      out: out.buffer,
    },
    parameters: {
      rows: out.rows,
      channels: out.channels,
      gateOffset: gate.offset,
      gateRowStride: gate.rowStride,
      upOffset: up.offset,
      upRowStride: up.rowStride,
      outOffset: out.offset,
      outRowStride: out.rowStride,
    },
    workgroups: linearGrid(Math.ceil(elements / 64), encoder.maxWorkgroupsPerDimension),
    work: { flops: 8 * width * elements, bytes: 12 * width * elements },
  });
}
