/** What one order of candidates keeps at many budgets: the best of it, so that larger budgets keep what smaller ones do. */
import { orderedKeys } from '../../gpu/cpu/ordered-keys';

/** Tokens that a composite key has room for beside 32 bits of score: both are exact in a double. */
const PLACES = 2 ** 21;

/**
 * Rank of every candidate in the order of `topK` (gpu/ops.ts): score descending, then `secondary` descending, then place
 * ascending; 0 is the best.
 */
export function ranksOf(score: Float32Array, secondary: Float32Array | null): Uint32Array {
  const { length } = score;
  if (length > PLACES) throw new RangeError(`${length} candidates are more than can be ranked at once`);
  const keys = new Uint32Array(length);
  orderedKeys(score, 0, keys);
  const order = sortedPlaces(keys);
  if (secondary) {
    const second = new Uint32Array(length);
    orderedKeys(secondary, 0, second);
    for (let start = 0, end: number; start < length; start = end) {
      end = start + 1;
      while (end < length && keys[order[end]!] === keys[order[start]!]) end++;
      sortStretch(order, start, end, second);
    }
  }
  const ranks = new Uint32Array(length);
  for (let rank = 0; rank < length; rank++) ranks[order[rank]!] = rank;
  return ranks;
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

/** Places by key descending, the lower place first at a tie. */
function sortedPlaces(keys: Uint32Array): Uint32Array {
  const { length } = keys;
  const composite = new Float64Array(length);
  for (let i = 0; i < length; i++) composite[i] = keys[i]! * PLACES + (PLACES - 1 - i);
  composite.sort();
  const order = new Uint32Array(length);
  for (let i = 0; i < length; i++) order[i] = PLACES - 1 - (composite[length - 1 - i]! % PLACES);
  return order;
}

/** Tokens [0, start), then start + those places whose rank is below `count`; ascending. */
export function bestOf(ranks: Uint32Array, count: number, start: number): Uint32Array {
  const list = new Uint32Array(start + Math.min(count, ranks.length));
  for (let token = 0; token < start; token++) list[token] = token;
  for (let i = 0, at = start; i < ranks.length; i++) if (ranks[i]! < count) list[at++] = start + i;
  return list;
}
