import { floatsOf, integersOf } from '../../cpu/buffer';
import { toSortKeys } from '../../cpu/sort-keys';
import { type Cut, findCut } from '../top-k/cpu';
import { checkTopKOfGroups, type TopKOfGroupsArguments } from './op';

/** Keys of entries that a floor keeps: above that of every number. */
const KEPT_BY_FLOOR = 0xffffffff;
const LARGEST_FINITE = 0xff7fffff;

export function topKOfGroups(a: TopKOfGroupsArguments): void {
  checkTopKOfGroups(a);
  const { score, rowsPerGroup, tied } = a;
  const { length } = score;
  const floor = Math.min(a.floorCount, length);
  const candidates = rowsPerGroup * length;
  const keys = new Uint32Array(candidates);
  const secondaryKeys = a.secondary && new Uint32Array(candidates);
  const space = new Uint32Array(candidates);
  const count = Math.min(a.count, candidates);
  for (let group = 0; group * rowsPerGroup < score.rows; group++) {
    const firstRow = group * rowsPerGroup;
    for (let r = 0; r < rowsPerGroup && length > 0; r++) {
      const span = [r * length, (r + 1) * length] as const;
      const rowKeys = keys.subarray(...span);
      toSortKeys(floatsOf(score.buffer), score.offset + (firstRow + r) * score.rowStride, rowKeys);
      const rowSecondaryKeys = secondaryKeys?.subarray(...span);
      if (a.secondary && rowSecondaryKeys) {
        const { buffer, offset, rowStride } = a.secondary;
        toSortKeys(floatsOf(buffer), offset + (firstRow + r) * rowStride, rowSecondaryKeys);
      }
      if (floor > 0) keepFloor(rowKeys, rowSecondaryKeys, floor, space);
    }
    const cut = count > 0 ? findCut(keys, secondaryKeys, count, space) : null;
    collectRows(a, firstRow, keys, secondaryKeys, cut);
    if (tied) {
      const hasChoice = cut !== null && count > rowsPerGroup * floor;
      integersOf(tied.buffer)[tied.offset + group] = hasChoice ? cut.ties : 0;
    }
  }
}

/** Puts the `floor` best of a row above all others. */
function keepFloor(
  keys: Uint32Array,
  secondaryKeys: Uint32Array | undefined,
  floor: number,
  space: Uint32Array,
): void {
  const cut = findCut(keys, secondaryKeys, floor, space);
  const left = { ties: cut.kept };
  for (let i = 0; i < keys.length; i++) {
    if (isKept(keys, secondaryKeys, i, cut, left)) keys[i] = KEPT_BY_FLOOR;
    else keys[i] = Math.min(keys[i]!, LARGEST_FINITE);
  }
}

/** Whether entry i is kept, the entries before it having been asked for; `left.ties`: how many entries at the cut still are. */
function isKept(
  keys: Uint32Array,
  secondaryKeys: Uint32Array | undefined,
  i: number,
  cut: Cut,
  left: { ties: number },
): boolean {
  if (keys[i] !== cut.key) return keys[i]! > cut.key;
  if (secondaryKeys && secondaryKeys[i] !== cut.secondary) return secondaryKeys[i]! > cut.secondary;
  return left.ties-- > 0;
}

/** Writes what is kept of the rows of a group, and how much of each. */
function collectRows(
  { score, rowsPerGroup, indexBase, out }: TopKOfGroupsArguments,
  firstRow: number,
  keys: Uint32Array,
  secondaryKeys: Uint32Array | undefined,
  cut: Cut | null,
): void {
  const data = integersOf(out.buffer);
  const left = { ties: cut?.kept ?? 0 };
  for (let r = 0; r < rowsPerGroup; r++) {
    const start = out.offset + (firstRow + r) * out.rowStride;
    let at = start;
    for (let i = 0; cut && i < score.length; i++) {
      if (isKept(keys, secondaryKeys, r * score.length + i, cut, left)) data[at++] = indexBase + i;
    }
    data[out.countsOffset! + firstRow + r] = at - start;
  }
}
