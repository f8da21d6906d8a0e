/** How a model makes logits of hidden states after the last norm: the one place for it. */
import type { Ops } from '../../../gpu/ops';
import type { Rows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { ModelConfig } from '../architectures/config';
import type { DeviceWeights } from './buffers';
import { multiplyByTable } from './device-table';

/** Logits [n, V] of hidden states [n, D] into `out`. */
export function writeLogits(
  {
    ops,
    config,
    weights,
  }: { readonly ops: Ops; readonly config: ModelConfig; readonly weights: DeviceWeights },
  hidden: Rows,
  out: Rows,
): void {
  const { logitScale = 1, logitSoftCap } = config;
  const scratch = new Scratch(ops);
  let input = hidden;
  if (logitScale !== 1) {
    // The states are scaled, which are fewer numbers than logits.
    input = scratch.rows(1, hidden.rows, hidden.channels, 'scaled hidden states');
    ops.sumHeads({ input: hidden, out: input, factor: logitScale });
  }
  multiplyByTable(ops, input, weights.head, out);
  if (logitSoftCap) ops.activate({ kind: 'soft-cap', cap: logitSoftCap, input: out, out });
  scratch.release();
}
