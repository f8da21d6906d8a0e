import type { ScoreRows } from '../../arguments';
import type { Rows } from '../../rows';
import { asRows, checkApart, checkFinite, checkGroups, checkInput, checkScores, fail } from '../../validate';

/**
 * Ridge leverage of rows: out[h,t] = x_tᵀ (ridge·I + Σ_s weight[h,s] · x_s x_sᵀ)⁻¹ x_t, x the rows of input head ⌊h·G/H⌋: input [G,n,k],
 * weight ≥ 0 and out [H,n], H a multiple of G. Without `weight` all rows weigh 1. ridge > 0. Compactor's scores of keys (arXiv
 * 2507.08143), CAPKV's of values (arXiv 2604.25975).
 */
export interface LeverageArguments {
  readonly input: Rows;
  readonly weight?: ScoreRows;
  readonly ridge: number;
  readonly out: ScoreRows;
}

export function checkLeverage(a: LeverageArguments): void {
  const { input, weight, ridge, out } = a;
  checkInput('leverage', 'input', input);
  checkFinite('leverage', 'ridge', ridge);
  if (ridge <= 0) fail('leverage', `ridge is ${ridge}, but must be above 0`);
  checkScores('leverage', 'out', out, 'written', { rows: out.rows, length: input.rows });
  const rows = asRows(out);
  checkGroups('leverage', 'out', out.rows, 'input', input.heads);
  checkApart('leverage', 'out', rows, 'input', input);
  if (!weight) return;
  checkScores('leverage', 'weight', weight, 'read', { rows: out.rows, length: input.rows });
  checkApart('leverage', 'out', rows, 'weight', asRows(weight));
}
