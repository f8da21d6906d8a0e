/**
 * Spherical k-means: rows go to the centre with the largest cosine, centres become the mean directions of their rows. Which centre is
 * nearest is found on the device, where the products are; the means on the CPU, so that they are the same whatever adds them up.
 */
import type { Ops } from '../../../gpu/ops';
import {
  type DeviceBuffer,
  headMajorRows,
  matrixRows,
  type Rows,
  sliceHeads,
  sliceRows,
} from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { MOST_PRODUCTS } from './schema';

/** Rounds at most; fewer where no more rows than this share change their cluster. */
const ROUNDS = 10;
const SETTLED = 0.002;

/** Rows to be clustered, each head for itself: [G, n, d], on the device, and as directions off it. */
export interface Points {
  readonly rows: Rows;
  readonly directions: Float32Array;
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
  const sums = points.map((each) => new Sums(each));
  const scratch = new Scratch(ops);
  const starts = points.map((_, i) => points.slice(0, i).reduce((sum, each) => sum + rowsOf(each), 0));
  const all = points.reduce((sum, each) => sum + rowsOf(each), 0);
  const buffer = scratch.integers(all, 'nearest centres');
  let labels: Uint32Array = new Uint32Array(0);
  const labelsOf = (i: number): Uint32Array => labels.subarray(starts[i]!, starts[i]! + rowsOf(points[i]!));
  try {
    for (let round = 0; round < ROUNDS; round++) {
      signal?.throwIfAborted();
      for (const [i, each] of points.entries()) encodeNearest(ops, each, centres[i]!, buffer, starts[i]!);
      labels = await ops.readIntegers(buffer);
      let moved = 0;
      for (const [i, of] of sums.entries()) moved += of.move(labelsOf(i), centres[i]!);
      if (moved <= SETTLED * all) break;
    }
  } finally {
    scratch.release();
  }
  return points.map((_, i) => labelsOf(i));
}

const rowsOf = ({ rows: { heads, rows } }: Points): number => heads * rows;

/** Distinct rows of each head, drawn by the seed, as directions: [G, clusters, d]. */
function firstCentres({ rows: { heads, rows, channels }, directions, clusters, seed }: Points): Float32Array {
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
      for (let i = 0; i < channels; i++) centres[at + i] = directions[from + i]!;
    }
  }
  return centres;
}

/** The centre that each row has the largest product with, the first of equals; a row's own length does not matter. */
function encodeNearest(
  ops: Ops,
  { rows, clusters }: Points,
  centres: Float32Array,
  labels: DeviceBuffer,
  start: number,
): void {
  const scratch = new Scratch(ops);
  const { heads, rows: count, channels } = rows;
  const weight = headMajorRows(scratch.upload(centres, 'centres'), heads, clusters, channels);
  const most = Math.max(1, Math.floor(MOST_PRODUCTS / clusters));
  const products = scratch.floats(Math.min(most, count) * clusters, 'products with centres');
  for (let head = 0; head < heads; head++) {
    for (let first = 0; first < count; first += most) {
      const part = Math.min(most, count - first);
      const out = matrixRows(products, part, clusters);
      const input = sliceRows(sliceHeads(rows, head, 1), first, part);
      ops.matmul({ input, weight: sliceHeads(weight, head, 1), out });
      ops.argmax({ input: out, out: labels, outOffset: start + head * count + first });
    }
  }
  scratch.release();
}

/** Sums of the directions of each cluster's rows, and who they are of: a round changes few of them. */
class Sums {
  readonly #points: Points;
  readonly #sums: Float64Array;
  readonly #members: Uint32Array;
  #labels: Uint32Array | null = null;

  constructor(points: Points) {
    const { rows, clusters } = points;
    this.#points = points;
    this.#sums = new Float64Array(rows.heads * clusters * rows.channels);
    this.#members = new Uint32Array(rows.heads * clusters);
  }

  /** Moves centres to the mean direction of their rows, those without rows excepted; returns how many rows changed their cluster. */
  move(labels: Uint32Array, centres: Float32Array): number {
    const { rows, clusters } = this.#points;
    const { heads, rows: count, channels } = rows;
    const before = this.#labels;
    let moved = 0;
    for (let head = 0, row = 0; head < heads; head++) {
      const first = head * clusters;
      for (const end = (head + 1) * count; row < end; row++) {
        if (before && before[row] === labels[row]) continue;
        moved++;
        if (before) this.#add(first + before[row]!, row, -1);
        this.#add(first + labels[row]!, row, 1);
      }
    }
    this.#labels = labels;
    for (let cluster = 0; cluster < this.#members.length; cluster++) {
      const at = cluster * channels;
      // What rounding has left of rows that are gone.
      if (this.#members[cluster] === 0) this.#sums.fill(0, at, at + channels);
      const length = Math.sqrt(squared(this.#sums, at, channels));
      if (length > 0) for (let i = at; i < at + channels; i++) centres[i] = this.#sums[i]! / length;
    }
    return moved;
  }

  #add(cluster: number, row: number, sign: 1 | -1): void {
    const { rows, directions } = this.#points;
    const { channels } = rows;
    // A round adds millions of numbers: what they are in is looked up once a row.
    const sums = this.#sums;
    const at = cluster * channels;
    const from = row * channels;
    this.#members[cluster]! += sign;
    for (let i = 0; i < channels; i++) sums[at + i]! += sign * directions[from + i]!;
  }
}

/** Rows of length 1, but for those of length 0. */
export function directionsOf(data: Float32Array, channels: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let from = 0; from < data.length; from += channels) {
    const length = Math.sqrt(squared(data, from, channels)) || 1;
    for (let i = from; i < from + channels; i++) out[i] = data[i]! / length;
  }
  return out;
}

function squared(data: Float32Array | Float64Array, from: number, channels: number): number {
  let sum = 0;
  for (let i = 0; i < channels; i++) sum += data[from + i]! ** 2;
  return sum;
}
