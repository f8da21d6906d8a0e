/**
 * Spherical k-means: rows go to the centre with the largest cosine, centres become the mean directions of their rows. Which centre is
 * nearest is found on the device, where the products are; the means on the CPU, so that they are the same whatever adds them up.
 */
import type { Ops } from '../../../gpu/ops';
import { headMajorRows, matrixRows, type Rows, sliceHeads, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';

/** Rounds at most; fewer where no row changes its cluster. */
const ROUNDS = 10;
/** Products of rows with centres that are held at once, where a row has fewer. */
export const MOST_PRODUCTS = 2 ** 22;

/** Rows to be clustered, each head for itself: [G, n, d], on the device and off it. */
export interface Points {
  readonly rows: Rows;
  readonly data: Float32Array;
  readonly clusters: number;
  /** Draws the rows that centres begin at, beside the head. */
  readonly seed: number;
}

/** Of each of `points` the clusters of its rows, [G, n]. Throws the signal's reason. */
export async function kMeans(
  ops: Ops,
  points: readonly Points[],
  signal?: AbortSignal,
): Promise<Uint32Array[]> {
  const centres = points.map(firstCentres);
  let labels: Uint32Array[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    signal?.throwIfAborted();
    const found = await Promise.all(points.map((each, i) => nearest(ops, each, centres[i]!)));
    const isSettled =
      labels.length > 0 && found.every((of, i) => of.every((label, t) => label === labels[i]![t]));
    labels = found;
    if (isSettled) break;
    for (const [i, each] of points.entries()) moveCentres(each, labels[i]!, centres[i]!);
  }
  return labels;
}

/** Distinct rows of each head, drawn by the seed, as directions: [G, clusters, d]. */
function firstCentres({ rows: { heads, rows, channels }, data, clusters, seed }: Points): Float32Array {
  const centres = new Float32Array(heads * clusters * channels);
  for (let head = 0; head < heads; head++) {
    const order = Uint32Array.from({ length: rows }, (_, row) => row);
    let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(head + 1, 0xc2b2ae35)) >>> 0;
    for (let c = 0; c < clusters; c++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const other = c + Math.floor((state / 2 ** 32) * (rows - c));
      [order[c], order[other]] = [order[other]!, order[c]!];
      const from = (head * rows + order[c]!) * channels;
      const at = (head * clusters + c) * channels;
      const length = Math.sqrt(squared(data, from, channels)) || 1;
      for (let i = 0; i < channels; i++) centres[at + i] = data[from + i]! / length;
    }
  }
  return centres;
}

/** The centre that each row has the largest product with, the first of equals; a row's own length does not matter. */
async function nearest(ops: Ops, { rows, clusters }: Points, centres: Float32Array): Promise<Uint32Array> {
  const scratch = new Scratch(ops);
  const { heads, rows: count, channels } = rows;
  const weight = headMajorRows(scratch.upload(centres, 'centres'), heads, clusters, channels);
  const labels = scratch.integers(heads * count, 'nearest centres');
  const most = Math.max(1, Math.floor(MOST_PRODUCTS / clusters));
  const products = scratch.floats(Math.min(most, count) * clusters, 'products with centres');
  for (let head = 0; head < heads; head++) {
    for (let first = 0; first < count; first += most) {
      const part = Math.min(most, count - first);
      const out = matrixRows(products, part, clusters);
      ops.matmul({
        input: sliceRows(sliceHeads(rows, head, 1), first, part),
        weight: sliceHeads(weight, head, 1),
        out,
      });
      ops.argmax({ input: out, out: labels, outOffset: head * count + first });
    }
  }
  const read = ops.readIntegers(labels);
  scratch.release();
  return read;
}

/** To the mean direction of their rows; those without rows stay. */
function moveCentres({ rows, data, clusters }: Points, labels: Uint32Array, centres: Float32Array): void {
  const { heads, rows: count, channels } = rows;
  const sums = new Float64Array(heads * clusters * channels);
  for (let row = 0; row < heads * count; row++) {
    const length = Math.sqrt(squared(data, row * channels, channels)) || 1;
    const at = (Math.floor(row / count) * clusters + labels[row]!) * channels;
    for (let i = 0; i < channels; i++) sums[at + i]! += data[row * channels + i]! / length;
  }
  for (let at = 0; at < sums.length; at += channels) {
    const length = Math.sqrt(squared(sums, at, channels));
    if (length > 0) for (let i = 0; i < channels; i++) centres[at + i] = sums[at + i]! / length;
  }
}

function squared(data: Float32Array | Float64Array, from: number, channels: number): number {
  let sum = 0;
  for (let i = 0; i < channels; i++) sum += data[from + i]! ** 2;
  return sum;
}
