import type { ScoreRows, WeightInputs } from '../../arguments';
import { asRows, checkApart, checkScores } from '../../validate';
import { checkWeightInputs } from '../../validate/weight-inputs';

/**
 * Attention received: out row g, entry t = Σ over the group's query heads h and query rows i of exp(q·k·scale − lse),
 * over keys t of [0, key.rows) that query i sees (t ≤ i + causalOffset). query [H,n,d], key [G,m,d], logSumExp [H,n].
 */
export interface AttentionColumnSumsArguments extends WeightInputs {
  readonly out: ScoreRows;
}

export function checkAttentionColumnSums(a: AttentionColumnSumsArguments): void {
  checkWeightInputs('attentionColumnSums', a);
  checkScores('attentionColumnSums', 'out', a.out, 'written', { rows: a.key.heads, length: a.key.rows });
  const out = asRows(a.out);
  checkApart('attentionColumnSums', 'out', out, 'query', a.query);
  checkApart('attentionColumnSums', 'out', out, 'key', a.key);
}
