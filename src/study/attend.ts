/** Attention as a study asks for it: with the model's own positions, over everything or over what a method kept. */
import type { Ops, RowScalars } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import type { LayerInput, Selection } from '../methods/method';

/** Attention of a block over the keys that a selection keeps: its list, then [rangeStart, own position]. */
export function attendSelection(
  ops: Ops,
  input: LayerInput,
  selection: Pick<Selection, 'list' | 'rangeStart'>,
  scale: number,
  out: Rows,
  logSumExp: RowScalars,
): void {
  ops.attention({
    query: input.query,
    key: input.key,
    value: input.value,
    scale,
    visible: {
      ...(selection.list ? { list: selection.list } : {}),
      range: { start: selection.rangeStart, end: input.block.end, causal: true },
    },
    out,
    logSumExp,
  });
}

/** Full attention's log-sum-exp of a block; `unused` receives the output that comes with it. */
export function fullLogSumExp(
  ops: Ops,
  input: LayerInput,
  scale: number,
  unused: Rows,
  logSumExp: RowScalars,
): void {
  attendSelection(ops, input, { list: null, rangeStart: 0 }, scale, unused, logSumExp);
}
