import { floatsOf } from '../../cpu/buffer';
import { geluTanh, silu } from '../activate/cpu';
import { checkGate, type GateArguments } from './op';

/** SwiGLU's and GeGLU's product (arXiv 2002.05202): out = activation(gate) · up. */
export function gate(a: GateArguments): void {
  checkGate(a);
  const activation = a.kind === 'gelu-tanh' ? geluTanh : silu;
  const gateData = floatsOf(a.gate.buffer);
  const upData = floatsOf(a.up.buffer);
  const outData = floatsOf(a.out.buffer);
  for (let row = 0; row < a.gate.rows; row++) {
    const gateStart = a.gate.offset + row * a.gate.rowStride;
    const upStart = a.up.offset + row * a.up.rowStride;
    const outStart = a.out.offset + row * a.out.rowStride;
    for (let c = 0; c < a.gate.channels; c++) {
      outData[outStart + c] = activation(gateData[gateStart + c]!) * upData[upStart + c]!;
    }
  }
}
