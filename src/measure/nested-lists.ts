/** What one order of candidates keeps at many budgets: the best of it, so that larger budgets keep what smaller ones do. */
import { toSortKeys } from '../../gpu/cpu/sort-keys';

/** Bits of a key that one pass sorts by: four passes take all 32. */
const DIGIT_BITS = 8;
const DIGITS = 2 ** DIGIT_BITS;

/**
 * Tokens [0, start), which stay whatever is chosen, then the candidates start + i in the order of `topK` (gpu/ops.ts): score
 * descending, then `secondary` descending, then place ascending. Its first start + n entries are what stays when n are chosen.
 */
export function orderOf(score: Float32Array, secondary: Float32Array | null, start: number): Uint32Array {
  const { length } = score;
  const keys = new Uint32Array(length);
  toSortKeys(score, 0, keys);
  const order = sortedPlaces(keys);
  if (secondary) {
    const second = new Uint32Array(length);
    toSortKeys(secondary, 0, second);
    for (let from = 0, to: number; from < length; from = to) {
      to = from + 1;
      while (to < length && keys[order[to]!] === keys[order[from]!]) to++;
      if (to - from > 1) sortStretch(order, from, to, second);
    }
  }
  const all = new Uint32Array(start + length);
  for (let token = 0; token < start; token++) all[token] = token;
  for (let i = 0; i < length; i++) all[start + i] = start + order[i]!;
  return all;
}

/** Longer stretches of equal scores are sorted by the library; dilated scores are equal in short ones. */
const SHORT = 32;

/** Sorts the places order[start … end), ascending so far, by key descending. */
function sortStretch(order: Uint32Array, start: number, end: number, keys: Uint32Array): void {
  if (end - start > SHORT) {
    order.subarray(start, end).sort((a, b) => keys[b]! - keys[a]! || a - b);
    return;
  }
  for (let i = start + 1; i < end; i++) {
    const place = order[i]!;
    let at = i;
    for (; at > start && keys[order[at - 1]!]! < keys[place]!; at--) order[at] = order[at - 1]!;
    order[at] = place;
  }
}

/** Places by key descending, the lower place first at a tie: a radix sort from the lowest digit, each pass stable. */
function sortedPlaces(keys: Uint32Array): Uint32Array {
  const { length } = keys;
  let order = new Uint32Array(length);
  let next = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = i;
  const ends = new Uint32Array(DIGITS + 1);
  for (let shift = 0; shift < 32; shift += DIGIT_BITS) {
    ends.fill(0);
    for (let i = 0; i < length; i++) ends[DIGITS - ((keys[i]! >>> shift) & (DIGITS - 1))]!++;
    // Where each digit begins, the largest first.
    for (let digit = 1; digit <= DIGITS; digit++) ends[digit]! += ends[digit - 1]!;
    for (let i = 0; i < length; i++) {
      const place = order[i]!;
      next[ends[DIGITS - 1 - ((keys[place]! >>> shift) & (DIGITS - 1))]!++] = place;
    }
    [order, next] = [next, order];
  }
  return order;
}
