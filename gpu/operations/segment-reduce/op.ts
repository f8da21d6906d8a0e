import type { ScoreRows } from '../../arguments';
import { asRows, checkApart, checkCount, checkScores, fail } from '../../validate';

/**
 * Consecutive segments of `segmentLength` entries of each score row, made one: out[s] = the sum, mean, largest or smallest of
 * input[s·segmentLength …]. The last segment has what entries are left, and its mean is over those. out has
 * ⌈input.length / segmentLength⌉ entries a row. For max and min NaN counts as −∞.
 */
export interface SegmentReduceArguments {
  readonly kind: 'sum' | 'mean' | 'max' | 'min';
  readonly input: ScoreRows;
  readonly segmentLength: number;
  readonly out: ScoreRows;
}

export function checkSegmentReduce(a: SegmentReduceArguments): void {
  const { input, segmentLength, out } = a;
  checkScores('segmentReduce', 'input', input, 'read');
  checkCount('segmentReduce', 'segmentLength', segmentLength);
  if (segmentLength === 0) fail('segmentReduce', 'segmentLength is 0, so segments hold no entries');
  const length = Math.ceil(input.length / segmentLength);
  checkScores('segmentReduce', 'out', out, 'written', { rows: input.rows, length });
  checkApart('segmentReduce', 'out', asRows(out), 'input', asRows(input));
}
