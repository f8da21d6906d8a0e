import type { ScoreRows } from '../../arguments';
import { asRows, checkApart, checkCount, checkScores, fail } from '../../validate';

/**
 * Every entry of a segment gets what the segment has: out[j] = input[⌊j/segmentLength⌋] on each row. input has
 * ⌈out.length / segmentLength⌉ entries a row.
 */
export interface ExpandSegmentsArguments {
  readonly input: ScoreRows;
  readonly segmentLength: number;
  readonly out: ScoreRows;
}

export function checkExpandSegments(a: ExpandSegmentsArguments): void {
  const { input, segmentLength, out } = a;
  checkScores('expandSegments', 'out', out, 'written');
  checkCount('expandSegments', 'segmentLength', segmentLength);
  if (segmentLength === 0) fail('expandSegments', 'segmentLength is 0, so segments hold no entries');
  const length = Math.ceil(out.length / segmentLength);
  checkScores('expandSegments', 'input', input, 'read', { rows: out.rows, length });
  checkApart('expandSegments', 'out', asRows(out), 'input', asRows(input));
}
