/**
 * Selection of the largest scores in linear time: find the smallest score kept, then collect in order of index. Nothing
 * is sorted, so the result is ascending by index, and of equal scores the lowest indices come first.
 */
import { floatsOf, integersOf } from '../../cpu/buffer';
import { toSortKeys } from '../../cpu/sort-keys';
import { checkTopK, type TopKArguments } from './op';

export function topK(a: TopKArguments): void {
  checkTopK(a);
  const { score, secondary, counts, out, indexBase, tied } = a;
  const scoreData = floatsOf(score.buffer);
  const secondaryData = secondary && floatsOf(secondary.buffer);
  const outData = integersOf(out.buffer);
  const tiedData = tied && integersOf(tied.buffer);
  const countsData = counts && integersOf(counts.buffer);
  const [keys, secondKeys, space] = threeArrays(score.length);
  const secondaryKeys = secondary && secondKeys;
  for (let row = 0; row < score.rows; row++) {
    const own = counts && countsData ? countsData[counts.offset + row]! : out.count;
    const count = Math.min(out.count, own);
    let ties = 0;
    if (count > 0) {
      toSortKeys(scoreData, score.offset + row * score.rowStride, keys);
      if (secondary && secondaryData && secondaryKeys) {
        toSortKeys(secondaryData, secondary.offset + row * secondary.rowStride, secondaryKeys);
      }
      const cut = findCut(keys, secondaryKeys, count, space);
      collect(keys, secondaryKeys, cut, indexBase, outData, out.offset + row * out.rowStride);
      ties = cut.ties;
    }
    if (tied && tiedData) tiedData[tied.offset + row] = ties;
  }
}

let spare = new Uint32Array(0);

/** Arrays to work in, the same ones for every call: single rows come by the thousand. */
function threeArrays(length: number): [Uint32Array, Uint32Array, Uint32Array] {
  if (spare.length < 3 * length) spare = new Uint32Array(3 * length);
  const part = (i: number): Uint32Array => spare.subarray(i * length, (i + 1) * length);
  return [part(0), part(1), part(2)];
}

/** What is kept: above (key, secondary) everything, at it the first `kept` of `ties`. */
export interface Cut {
  readonly key: number;
  readonly secondary: number;
  readonly kept: number;
  readonly ties: number;
}

/** Where the row is cut that keeps its `count` best, at least one. `space` takes as many entries as there are keys. */
export function findCut(
  keys: Uint32Array,
  secondaryKeys: Uint32Array | undefined,
  count: number,
  space: Uint32Array,
): Cut {
  const first = nthLargest(keys, keys.length, count, space);
  if (!secondaryKeys) return { key: first.value, secondary: 0, kept: first.kept, ties: first.ties };
  let length = 0;
  for (let i = 0; i < keys.length; i++) if (keys[i] === first.value) space[length++] = secondaryKeys[i]!;
  const second = nthLargest(space, length, first.kept, space);
  return { key: first.value, secondary: second.value, kept: second.kept, ties: second.ties };
}

/**
 * The n-th largest of `length` keys (n ≥ 1), how many equal it, and how many of these are among the n largest. Eight
 * bits at a time from the top: a histogram of the keys that share the digits found so far, which gather in `space`, tells the
 * next digit. `space` may be `keys`.
 */
function nthLargest(
  keys: Uint32Array,
  length: number,
  n: number,
  space: Uint32Array,
): { value: number; kept: number; ties: number } {
  const histogram = new Int32Array(256);
  let sharing = keys;
  let value = 0;
  let kept = n;
  let ties = length;
  for (let shift = 24; shift >= 0; shift -= 8) {
    histogram.fill(0);
    for (let i = 0; i < ties; i++) histogram[(sharing[i]! >>> shift) & 255]!++;
    let digit = 255;
    while (histogram[digit]! < kept) kept -= histogram[digit--]!;
    value |= digit << shift;
    if (histogram[digit] === ties) continue;
    // Without a branch, which would be taken at random: what is not counted is overwritten.
    let at = 0;
    for (let i = 0; i < ties; i++) {
      const key = sharing[i]!;
      space[at] = key;
      at += Number(((key >>> shift) & 255) === digit);
    }
    sharing = space;
    ties = at;
  }
  return { value: value >>> 0, kept, ties };
}

function collect(
  keys: Uint32Array,
  secondaryKeys: Uint32Array | undefined,
  cut: Cut,
  indexBase: number,
  out: Uint32Array,
  outStart: number,
): void {
  let left = cut.kept;
  let at = outStart;
  for (let i = 0; i < keys.length; i++) {
    if (keys[i]! < cut.key) continue;
    if (keys[i] === cut.key) {
      const secondary = secondaryKeys ? secondaryKeys[i]! : cut.secondary;
      if (secondary < cut.secondary) continue;
      if (secondary === cut.secondary) {
        if (left === 0) continue;
        left--;
      }
    }
    out[at++] = indexBase + i;
  }
}
