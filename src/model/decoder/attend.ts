/** Attention as a study asks for it: with the model's own positions, over everything or over what a method kept. */
import type { IndexList, Ops, RowScalars, ScoreRule } from '../../../gpu/ops';
import type { Rows } from '../../../gpu/rows';

/** A block's queries [H, n, d], and the layer's keys and values of tokens [0, block.end), [G, block.end, d]. */
interface BlockRows {
  readonly block: { readonly start: number; readonly end: number };
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
  /** Of what is not listed each query sees the last so many tokens; all by default. */
  readonly window?: number;
}

/** Attention of a block over the keys that a selection keeps: its list, then [rangeStart, own position]. */
export function attendSelection(
  ops: Ops,
  input: BlockRows,
  { list, rangeStart }: { readonly list: IndexList | null; readonly rangeStart: number },
  scores: ScoreRule,
  out: Rows,
  logSumExp: RowScalars,
): void {
  ops.attention({
    query: input.query,
    key: input.key,
    value: input.value,
    ...scores,
    visible: {
      ...(list ? { list } : {}),
      range: { start: rangeStart, end: input.block.end, causal: true, window: input.window },
    },
    out,
    logSumExp,
  });
}

/** Full attention's log-sum-exp of a block; `unused` receives the output that comes with it. */
export function fullLogSumExp(
  ops: Ops,
  input: BlockRows,
  scores: ScoreRule,
  unused: Rows,
  logSumExp: RowScalars,
): void {
  attendSelection(ops, input, { list: null, rangeStart: 0 }, scores, unused, logSumExp);
}
