import type { Rows } from '../../rows';
import { checkInput, checkOutput, checkSameOrApart } from '../../validate';

/**
 * out = activation(gate) · up, element by element, silu(x) = x / (1 + e^−x) by default, or the tanh approximation of GELU. out may be
 * gate or up. One head each.
 */
export interface GateArguments {
  readonly kind?: 'silu' | 'gelu-tanh';
  readonly gate: Rows;
  readonly up: Rows;
  readonly out: Rows;
}

export function checkGate(a: GateArguments): void {
  checkInput('gate', 'gate', a.gate, { heads: 1 });
  checkInput('gate', 'up', a.up, { heads: 1, rows: a.gate.rows, channels: a.gate.channels });
  checkOutput('gate', 'out', a.out, { heads: 1, rows: a.gate.rows, channels: a.gate.channels });
  checkSameOrApart('gate', 'out', a.out, 'gate', a.gate);
  checkSameOrApart('gate', 'out', a.out, 'up', a.up);
}
