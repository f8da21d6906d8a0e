/** Selection of the largest scores. */
import type { Arguments } from '../validate';
import { checkTopK } from '../validate';
import { floatsOf, integersOf } from './buffer';

export function topK(a: Arguments<'topK'>): void {
  checkTopK(a);
  const { score, secondary, out, indexBase, tied } = a;
  const outData = integersOf(out.buffer);
  const keys = new Uint32Array(score.length);
  const secondaryKeys = new Uint32Array(secondary ? score.length : 0);
  const chosen = new Uint32Array(score.length);
  for (let row = 0; row < score.rows; row++) {
    orderedKeys(floatsOf(score.buffer), score.offset + row * score.rowStride, keys);
    if (secondary) {
      orderedKeys(floatsOf(secondary.buffer), secondary.offset + row * secondary.rowStride, secondaryKeys);
    }
    const ties = selectLargest(keys, secondary ? secondaryKeys : undefined, out.count, chosen);
    const start = out.offset + row * out.rowStride;
    for (let i = 0; i < out.count; i++) outData[start + i] = indexBase + chosen[i]!;
    if (tied) integersOf(tied.buffer)[tied.offset + row] = ties;
  }
}

/** Integers in the order of the floats: NaN as −∞, −0 as +0. */
export function orderedKeys(data: Float32Array, start: number, keys: Uint32Array): void {
  const bits = new Uint32Array(data.buffer, data.byteOffset + 4 * start, keys.length);
  for (let i = 0; i < keys.length; i++) {
    const b = bits[i]!;
    const magnitude = b & 0x7fffffff;
    if (magnitude > 0x7f800000) keys[i] = 0x007fffff;
    else if (magnitude === 0) keys[i] = 0x80000000;
    else keys[i] = b >>> 31 ? ~b : b | 0x80000000;
  }
}

/** Writes the chosen positions, ascending; returns how many candidates equal the last one kept. */
function selectLargest(
  keys: Uint32Array,
  secondary: Uint32Array | undefined,
  count: number,
  chosen: Uint32Array,
): number {
  if (count === 0) return 0;
  const order = Array.from(keys.keys()).sort(
    (i, j) => keys[j]! - keys[i]! || (secondary ? secondary[j]! - secondary[i]! : 0) || i - j,
  );
  const last = order[count - 1]!;
  chosen.set(order.slice(0, count).sort((i, j) => i - j));
  return order.filter((i) => keys[i] === keys[last] && (!secondary || secondary[i] === secondary[last]))
    .length;
}
