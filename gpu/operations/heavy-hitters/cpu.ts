import { CpuBuffer, floatsOf, integersOf } from '../../cpu/buffer';
import { capScores, exponentiate, largest } from '../../cpu/exponentials';
import { matrixRows, type Rows, sliceHeads, sliceRows } from '../../rows';
import { matmul } from '../matmul/cpu';
import { checkHeavyHitters, type HeavyHittersArguments } from './op';

/** Queries whose products with all keys are made at once: a product in turn is cheaper than a key looked up. */
const QUERIES_AT_ONCE = 64;
/** For fewer queries products with what is kept alone cost less. */
const FEWEST_QUERIES = 8;

export function heavyHitters(a: HeavyHittersArguments, multiply = matmul): void {
  checkHeavyHitters(a);
  const { query, key, firstKey, tokens, received, tied } = a;
  const tokenData = integersOf(tokens.buffer);
  const receivedData = floatsOf(received.buffer);
  const tiedData = integersOf(tied.buffer);
  const { count } = tokens;
  const older = count + 1 - a.recentCount;
  // The cache, and behind it the own token of the query.
  const held = new Uint32Array(count + 1);
  const sums = new Float32Array(count + 1);
  const weights = new Float64Array(count + 1);
  const isDense = query.rows >= FEWEST_QUERIES;
  const products = new CpuBuffer('f32', isDense ? QUERIES_AT_ONCE * key.rows : 0, 'products');
  const productData = floatsOf(products);
  for (let head = 0; head < query.heads; head++) {
    const start = tokens.offset + head * tokens.rowStride;
    held.set(tokenData.subarray(start, start + count));
    const receivedStart = received.offset + head * received.rowStride;
    sums.set(receivedData.subarray(receivedStart, receivedStart + count));
    const keys = sliceHeads(key, Math.floor((head * key.heads) / query.heads), 1);
    for (let i = 0; i < query.rows; i++) {
      const inPart = i % QUERIES_AT_ONCE;
      if (isDense && inPart === 0) {
        const rows = Math.min(QUERIES_AT_ONCE, query.rows - i);
        // Nobody sees a key behind the own one.
        const weight = sliceRows(keys, 0, firstKey + i + rows);
        const out = { ...matrixRows(products, rows, weight.rows), rowStride: key.rows };
        multiply({ input: sliceRows(sliceHeads(query, head, 1), i, rows), weight, out });
      }
      held[count] = firstKey + i;
      sums[count] = 0;
      if (isDense) {
        const row = inPart * key.rows;
        for (let j = 0; j <= count; j++) {
          weights[j] = a.scale * productData[row + Math.min(held[j]!, key.rows - 1)]!;
        }
      } else multiplyHeld(a, sliceRows(sliceHeads(query, head, 1), i, 1), keys, held, weights);
      capScores(weights, 0, count + 1, a.softCap);
      const sum = exponentiate(weights, 0, count + 1, largest(weights, 0, count + 1));
      for (let j = 0; j <= count; j++) sums[j]! += weights[j]! / sum;
      const { place, ties } = leastOf(sums, older);
      held.copyWithin(place, place + 1);
      sums.copyWithin(place, place + 1);
      const after = (i + 1) * query.heads + head;
      tokenData.set(held.subarray(0, count), tokens.offset + after * tokens.rowStride);
      receivedData.set(sums.subarray(0, count), received.offset + after * received.rowStride);
      tiedData[tied.offset + after] = ties;
    }
  }
}

/** scale · q·k of one query and the keys of `held`. */
function multiplyHeld(
  { scale }: HeavyHittersArguments,
  query: Rows,
  key: Rows,
  held: Uint32Array,
  out: Float64Array,
): void {
  const keyData = floatsOf(key.buffer);
  const { offset, channels } = query;
  // Doubles, which need no conversion for every key.
  const queryRow = Float64Array.from(floatsOf(query.buffer).subarray(offset, offset + channels));
  for (let j = 0; j < held.length; j++) {
    const from = key.offset + Math.min(held[j]!, key.rows - 1) * key.rowStride;
    let product = 0;
    for (let c = 0; c < channels; c++) product += queryRow[c]! * keyData[from + c]!;
    out[j] = scale * product;
  }
}

/** Where the least of the first `length` numbers is, the last of equals, and how many of them equal the least of the others. */
function leastOf(numbers: Float32Array, length: number): { place: number; ties: number } {
  let place = 0;
  let least = numbers[0]!;
  let ofOthers = Number.POSITIVE_INFINITY;
  for (let j = 1; j < length; j++) {
    const number = numbers[j]!;
    if (number <= least) {
      ofOthers = least;
      least = number;
      place = j;
    } else if (number < ofOthers) ofOthers = number;
  }
  let ties = 0;
  for (let j = 0; j < length; j++) if (numbers[j] === ofOthers) ties++;
  return { place, ties };
}
