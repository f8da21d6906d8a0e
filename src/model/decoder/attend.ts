/** Attention as a study asks for it: with the model's own positions, over everything or over what a method kept. */
import type { IndexList, Ops, RowScalars } from '../../../gpu/ops';
import type { Rows } from '../../../gpu/rows';

/** A block's queries [H, n, d], and the layer's keys and values of tokens [0, block.end), [G, block.end, d]. */
interface BlockRows {
  readonly block: { readonly start: number; readonly end: number };
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
}

/** Attention of a block over the keys that a selection keeps: its list, then [rangeStart, own position]. */
export function attendSelection(
  ops: Ops,
  input: BlockRows,
  selection: { readonly list: IndexList | null; readonly rangeStart: number },
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
  input: BlockRows,
  scale: number,
  unused: Rows,
  logSumExp: RowScalars,
): void {
  attendSelection(ops, input, { list: null, rangeStart: 0 }, scale, unused, logSumExp);
}
