import type { ScoreRows } from '../../arguments';
import { asRows, checkApart, checkCount, checkScores, fail } from '../../validate';

/**
 * The mean or the maximum of a window of `width` entries (odd) that slides over each score row, one entry a step: out[j] of
 * input[w], |w − j| ≤ ⌊width/2⌋. mean: the sum over `width`, also at the ends of the row, as if zeros stood beyond (SnapKV; torch
 * avg_pool1d). max: the largest of what the row has (ESA Eq. 8, SnapKV), NaN counts as −∞. With `firstLength` row i has
 * firstLength + i entries, and out is −∞ beyond. Not in place.
 */
export interface PoolArguments {
  readonly kind: 'mean' | 'max';
  readonly input: ScoreRows;
  readonly width: number;
  readonly firstLength?: number;
  readonly out: ScoreRows;
}

export function checkPool(a: PoolArguments): void {
  checkScores('pool', 'input', a.input, 'read');
  checkScores('pool', 'out', a.out, 'written', a.input);
  checkCount('pool', 'width', a.width);
  if (a.width % 2 === 0) fail('pool', `width is ${a.width}, but must be odd`);
  if (a.firstLength !== undefined) checkCount('pool', 'firstLength', a.firstLength);
  checkApart('pool', 'out', asRows(a.out), 'input', asRows(a.input));
}
