import type { ScoreRows } from '../../arguments';
import { asRows, checkApart, checkCount, checkScores, fail } from '../../validate';

/**
 * Rank inside consecutive segments: out = (number of entries of the segment that are smaller, or equal with a lower
 * index) / segmentLength. Row length must be a multiple of segmentLength. Not in place. kvpress lagkv_press.py.
 */
export interface SegmentRanksArguments {
  readonly input: ScoreRows;
  readonly segmentLength: number;
  readonly out: ScoreRows;
}

export function checkSegmentRanks(a: SegmentRanksArguments): void {
  checkScores('segmentRanks', 'input', a.input, 'read');
  checkScores('segmentRanks', 'out', a.out, 'written', a.input);
  checkCount('segmentRanks', 'segmentLength', a.segmentLength);
  if (a.input.length > 0 && (a.segmentLength === 0 || a.input.length % a.segmentLength !== 0)) {
    fail(
      'segmentRanks',
      `input.length is ${a.input.length}, no multiple of the segment length ${a.segmentLength}`,
    );
  }
  checkApart('segmentRanks', 'out', asRows(a.out), 'input', asRows(a.input));
}
