import type { ScoreRows } from '../../arguments';
import { asRows, checkApart, checkCount, checkScores } from '../../validate';

/**
 * ESA Eq. 8, on each of `rows` rows: out[j] = max of input[w], |w − j| ≤ radius, clamped to the row. With `firstLength` row i
 * has firstLength + i entries, and out is −∞ beyond. Not in place.
 */
export interface DilateArguments {
  readonly input: ScoreRows;
  readonly radius: number;
  readonly firstLength?: number;
  readonly out: ScoreRows;
}

export function checkDilate(a: DilateArguments): void {
  checkScores('dilate', 'input', a.input, 'read');
  checkScores('dilate', 'out', a.out, 'written', a.input);
  checkCount('dilate', 'radius', a.radius);
  if (a.firstLength !== undefined) checkCount('dilate', 'firstLength', a.firstLength);
  checkApart('dilate', 'out', asRows(a.out), 'input', asRows(a.input));
}
