import type { RowScalars } from '../../arguments';
import type { Rows } from '../../rows';
import { checkApart, checkInput, checkOutput, scalarsAsRows } from '../../validate';

/**
 * Merges two attention results over disjoint keys into `into` (ESA, App. G, Alg. 1, with the maximum subtracted):
 * o = Σ e^(λ−m)·o / Σ e^(λ−m). `from` is left as it is.
 */
export interface MergeAttentionArguments {
  readonly into: { out: Rows; logSumExp: RowScalars };
  readonly from: { out: Rows; logSumExp: RowScalars };
}

export function checkMergeAttention(a: MergeAttentionArguments): void {
  const { into, from } = a;
  const { heads, rows } = into.out;
  checkOutput('mergeAttention', 'into.out', into.out);
  checkInput('mergeAttention', 'from.out', from.out, into.out);
  const intoScalars = scalarsAsRows(into.logSumExp, heads, rows);
  const fromScalars = scalarsAsRows(from.logSumExp, heads, rows);
  checkOutput('mergeAttention', 'into.logSumExp', intoScalars);
  checkInput('mergeAttention', 'from.logSumExp', fromScalars);
  checkApart('mergeAttention', 'into.out', into.out, 'from.out', from.out);
  checkApart('mergeAttention', 'into.logSumExp', intoScalars, 'from.logSumExp', fromScalars);
}
