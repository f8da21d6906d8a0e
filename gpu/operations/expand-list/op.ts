import type { IndexList } from '../../arguments';
import { checkCount, checkEqual, checkList, checkRaggedOut, fail } from '../../validate';

/**
 * Lists of segments as lists of what is in them: segment s has indexBase + s·segmentLength and the segmentLength − 1 indices behind
 * it, and those from `end` on are left out. Lists have lengths of their own, out.countsOffset says them, what lies beyond is left as
 * it is. out.count must be min(segments.count · segmentLength, end − indexBase) at least, for the last end. With `setsPerEnd` the end is
 * that of the first so many lists, and one more for every so many behind them.
 */
export interface ExpandListArguments {
  readonly segments: IndexList;
  readonly segmentLength: number;
  readonly indexBase: number;
  readonly end: number;
  readonly setsPerEnd?: number;
  readonly out: IndexList;
}

export function checkExpandList(a: ExpandListArguments): void {
  const { segments, out } = a;
  checkList('expandList', 'segments', segments);
  for (const name of ['segmentLength', 'indexBase', 'end'] as const) checkCount('expandList', name, a[name]);
  checkRaggedOut('expandList', 'out', out);
  checkEqual('expandList', 'out.sets', out.sets, segments.sets);
  if (a.setsPerEnd !== undefined && !(Number.isInteger(a.setsPerEnd) && a.setsPerEnd >= 1))
    fail('expandList', `setsPerEnd is ${a.setsPerEnd}, but must be an integer ≥ 1`);
  const longest = longestList(a);
  if (out.count < longest) fail('expandList', `out.count is ${out.count}, but a list may have ${longest}`);
  if (out.buffer === segments.buffer) fail('expandList', 'out must not be in the buffer of segments');
}

/** What a list may have at most. */
export function longestList({
  segments,
  segmentLength,
  indexBase,
  end,
  setsPerEnd,
}: ExpandListArguments): number {
  const ends = setsPerEnd === undefined ? 1 : Math.ceil(segments.sets / setsPerEnd);
  return Math.min(segments.count * segmentLength, Math.max(0, end + Math.max(1, ends) - 1 - indexBase));
}
