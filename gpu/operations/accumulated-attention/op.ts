import type { ProbabilityInputs, ScoreRows, VisibleKeys } from '../../arguments';
import { sliceRows } from '../../rows';
import { asRows, checkApart, checkScores } from '../../validate';
import { checkProbabilityInputs } from '../../validate/probability-inputs';
import { checkVisible } from '../../validate/visible-keys';

/**
 * Attention received (H2O): out row r, entry t (+)= Σ over the row's query heads h and the query rows i of exp(score − lse),
 * over keys t that query i sees; 0 for others. query [H,n,d], key [G,m,d], logSumExp [H,n]. out has rows of m entries: one for
 * each KV head, which sums its query heads, or one for each query head.
 */
export interface AccumulatedAttentionArguments extends Omit<ProbabilityInputs, 'causalOffset' | 'window'> {
  readonly visible: VisibleKeys;
  readonly out: ScoreRows;
  readonly accumulate?: boolean;
}

export function checkAccumulatedAttention(a: AccumulatedAttentionArguments): void {
  const { query, key, visible } = a;
  checkProbabilityInputs('accumulatedAttention', { ...a, causalOffset: 0 });
  checkVisible('accumulatedAttention', visible, query.heads, key);
  const rows = a.out.rows === query.heads ? query.heads : key.heads;
  checkScores('accumulatedAttention', 'out', a.out, 'written', { rows, length: key.rows });
  const out = asRows(a.out);
  checkApart('accumulatedAttention', 'out', out, 'query', a.query);
  checkApart('accumulatedAttention', 'out', out, 'key', a.key);
}

/** What the range adds: its keys alone, with the mask of the kernels that recompute probabilities. */
export function ofRange(a: AccumulatedAttentionArguments): ProbabilityInputs {
  const { query, key, scale, softCap, logSumExp } = a;
  const { start, end, causal, window } = a.visible.range;
  const length = end - start;
  const causalOffset = causal ? length - query.rows : length;
  return { query, key: sliceRows(key, start, length), scale, softCap, logSumExp, causalOffset, window };
}
