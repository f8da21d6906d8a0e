import type { IndexList, ScoreRows } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import { checkCount, checkEqual, checkRaggedOut, checkScores, checkSpan, fail } from '../../validate';

/**
 * Of every `rowsPerGroup` consecutive score rows together the `count` best, each row's own `floorCount` best among them whatever
 * the others have (AdaKV; kvpress adakv_press.py): the rows of a group get lists of different lengths. out.list row r gets
 * indexBase + position, ascending; its length stands at out.countsOffset + r, what lies beyond is left as it is. Order: score
 * descending, then `secondary` descending if given, then row ascending, then index ascending; NaN and −0 as in topK. Where there are
 * floors, +∞ counts as the largest finite number. count ≥ rowsPerGroup · length keeps everything.
 *
 * tied.buffer[tied.offset + g] = number of candidates of group g, those that floors keep aside, whose score (and secondary) equal
 * those of the last one kept, kept ones included; 0 where floors leave nothing to keep.
 * out.count must be `longestOfGroup` at least; rowsPerGroup · floorCount may not exceed count.
 * Meanwhile WebGPU holds up to four numbers more for each score.
 */
export interface TopKOfGroupsArguments {
  readonly score: ScoreRows;
  readonly secondary?: ScoreRows;
  readonly rowsPerGroup: number;
  readonly count: number;
  readonly floorCount: number;
  readonly indexBase: number;
  readonly out: IndexList;
  readonly tied?: { readonly buffer: DeviceBuffer; readonly offset: number };
}

/** Entries of the longest list that a row may get: all that the floors of the other rows leave. */
export function longestOfGroup(
  a: Pick<TopKOfGroupsArguments, 'score' | 'rowsPerGroup' | 'count' | 'floorCount'>,
): number {
  const { length } = a.score;
  const floor = Math.min(a.floorCount, length);
  return Math.max(0, Math.min(length, a.count - (a.rowsPerGroup - 1) * floor));
}

export function checkTopKOfGroups(a: TopKOfGroupsArguments): void {
  const { score, secondary, rowsPerGroup, out, tied } = a;
  checkScores('topKOfGroups', 'score', score, 'read');
  if (secondary) checkScores('topKOfGroups', 'secondary', secondary, 'read', score);
  for (const name of ['rowsPerGroup', 'count', 'floorCount', 'indexBase'] as const) {
    checkCount('topKOfGroups', name, a[name]);
  }
  if (rowsPerGroup === 0 ? score.rows > 0 : score.rows % rowsPerGroup !== 0) {
    fail(
      'topKOfGroups',
      `score has ${score.rows} rows, which is no multiple of the ${rowsPerGroup} of a group`,
    );
  }
  const floors = rowsPerGroup * Math.min(a.floorCount, score.length);
  if (floors > a.count)
    fail('topKOfGroups', `floorCount takes ${floors} entries of a group, but count is ${a.count}`);
  checkRaggedOut('topKOfGroups', 'out', out);
  checkEqual('topKOfGroups', 'out.sets', out.sets, score.rows);
  const longest = longestOfGroup(a);
  if (out.count < longest) fail('topKOfGroups', `out.count is ${out.count}, but a list may have ${longest}`);
  if (tied) {
    checkSpan(
      'topKOfGroups',
      'tied',
      tied.buffer,
      'u32',
      tied.offset,
      rowsPerGroup && score.rows / rowsPerGroup,
    );
  }
}
