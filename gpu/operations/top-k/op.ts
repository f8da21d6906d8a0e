import type { IndexList, ScoreRows } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import { checkCount, checkEqual, checkList, checkScores, checkSpan, fail } from '../../validate';

/**
 * Per score row the `count` largest, written ascending by index: out.list row r gets indexBase + position. Order:
 * score descending, then `secondary` descending if given, then index ascending. NaN counts as −∞ (as the lowest of
 * all, below −∞ itself it is not distinguished), −0 as +0.
 * tied.buffer[tied.offset + r] = number of candidates whose score (and secondary) equal those of the last one
 * kept, kept ones included (0 when count is 0). count ≥ length keeps everything.
 * `counts`: row r keeps only the counts.buffer[counts.offset + r] largest where that is less; what lies beyond them is left as it is.
 * out.count must be min(count, length).
 */
export interface TopKArguments {
  readonly score: ScoreRows;
  readonly secondary?: ScoreRows;
  readonly count: number;
  readonly counts?: { readonly buffer: DeviceBuffer; readonly offset: number };
  readonly indexBase: number;
  readonly out: IndexList;
  readonly tied?: { buffer: DeviceBuffer; offset: number };
}

export function checkTopK(a: TopKArguments): void {
  const { score, secondary, counts, out, tied } = a;
  checkScores('topK', 'score', score, 'read');
  if (secondary) checkScores('topK', 'secondary', secondary, 'read', score);
  checkCount('topK', 'count', a.count);
  checkCount('topK', 'indexBase', a.indexBase);
  checkList('topK', 'out', out);
  checkEqual('topK', 'out.sets', out.sets, score.rows);
  checkEqual('topK', 'out.count', out.count, Math.min(a.count, score.length));
  if (out.countsOffset !== undefined) {
    fail('topK', 'out has lists of different lengths (countsOffset), but every row gets out.count entries');
  }
  if (out.sets > 1 && out.rowStride < out.count) {
    fail('topK', `out.rowStride is ${out.rowStride}, so lists of ${out.count} overlap`);
  }
  if (counts) checkSpan('topK', 'counts', counts.buffer, 'u32', counts.offset, score.rows);
  if (tied) checkSpan('topK', 'tied', tied.buffer, 'u32', tied.offset, score.rows);
}
