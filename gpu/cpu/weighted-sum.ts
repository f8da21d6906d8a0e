/** Weighted sums of value rows: the second half of attention. */
import type { RowStarts } from './panel';
import { PANEL_ROWS } from './panel';

/** Value rows taken at a time, so that they stay in the first-level cache while all channels pass. */
const BLOCK_ROWS = 128;

/**
 * sums[r · channels + c] += Σ weights[r · stride + t] · value row t, channel c, over t of [firsts[r], limits[r]), for r < rows ≤
 * PANEL_ROWS. Firsts (0 by default) and limits ascend. Values outside are not read, so what lies there cannot matter.
 */
export function addWeightedRows(
  weights: Float64Array,
  stride: number,
  rows: number,
  limits: Int32Array,
  values: RowStarts,
  channels: number,
  sums: Float64Array,
  firsts?: Int32Array,
): void {
  const { data, starts } = values;
  // What all four rows see: [begin, end).
  const begin = firsts ? firsts[rows - 1]! : 0;
  const end = rows === PANEL_ROWS ? Math.max(begin, limits[0]!) : begin;
  for (let from = begin; from < end; from += BLOCK_ROWS) {
    const to = Math.min(end, from + BLOCK_ROWS);
    addToFourRows(weights, stride, data, starts, from, to, channels, sums);
  }
  const addToRow = (r: number, first: number, last: number): void => {
    for (let from = first; from < last; from += BLOCK_ROWS) {
      const to = Math.min(last, from + BLOCK_ROWS);
      addToOneRow(weights, r * stride, data, starts, from, to, channels, sums, r * channels);
    }
  };
  for (let r = 0; r < rows; r++) {
    if (firsts) addToRow(r, firsts[r]!, Math.min(begin, limits[r]!));
    addToRow(r, end, limits[r]!);
  }
}

/** Four rows of weights at once, two channels at a time. */
function addToFourRows(
  weights: Float64Array,
  stride: number,
  data: Float32Array,
  starts: Int32Array,
  from: number,
  to: number,
  channels: number,
  sums: Float64Array,
): void {
  const even = channels - (channels % 2);
  for (let c = 0; c < even; c += 2) {
    let s00 = 0;
    let s01 = 0;
    let s10 = 0;
    let s11 = 0;
    let s20 = 0;
    let s21 = 0;
    let s30 = 0;
    let s31 = 0;
    for (let t = from; t < to; t++) {
      const at = starts[t]! + c;
      const v0 = data[at]!;
      const v1 = data[at + 1]!;
      const w0 = weights[t]!;
      s00 += w0 * v0;
      s01 += w0 * v1;
      const w1 = weights[stride + t]!;
      s10 += w1 * v0;
      s11 += w1 * v1;
      const w2 = weights[2 * stride + t]!;
      s20 += w2 * v0;
      s21 += w2 * v1;
      const w3 = weights[3 * stride + t]!;
      s30 += w3 * v0;
      s31 += w3 * v1;
    }
    sums[c] = sums[c]! + s00;
    sums[c + 1] = sums[c + 1]! + s01;
    sums[channels + c] = sums[channels + c]! + s10;
    sums[channels + c + 1] = sums[channels + c + 1]! + s11;
    sums[2 * channels + c] = sums[2 * channels + c]! + s20;
    sums[2 * channels + c + 1] = sums[2 * channels + c + 1]! + s21;
    sums[3 * channels + c] = sums[3 * channels + c]! + s30;
    sums[3 * channels + c + 1] = sums[3 * channels + c + 1]! + s31;
  }
  if (even < channels) {
    for (let r = 0; r < PANEL_ROWS; r++) {
      let sum = 0;
      for (let t = from; t < to; t++) sum += weights[r * stride + t]! * data[starts[t]! + even]!;
      sums[r * channels + even] = sums[r * channels + even]! + sum;
    }
  }
}

/** One row of weights, four channels at a time. */
function addToOneRow(
  weights: Float64Array,
  weightStart: number,
  data: Float32Array,
  starts: Int32Array,
  from: number,
  to: number,
  channels: number,
  sums: Float64Array,
  sumStart: number,
): void {
  let c = 0;
  for (; c + 4 <= channels; c += 4) {
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let t = from; t < to; t++) {
      const weight = weights[weightStart + t]!;
      const at = starts[t]! + c;
      s0 += weight * data[at]!;
      s1 += weight * data[at + 1]!;
      s2 += weight * data[at + 2]!;
      s3 += weight * data[at + 3]!;
    }
    sums[sumStart + c] = sums[sumStart + c]! + s0;
    sums[sumStart + c + 1] = sums[sumStart + c + 1]! + s1;
    sums[sumStart + c + 2] = sums[sumStart + c + 2]! + s2;
    sums[sumStart + c + 3] = sums[sumStart + c + 3]! + s3;
  }
  for (; c < channels; c++) {
    let sum = 0;
    for (let t = from; t < to; t++) sum += weights[weightStart + t]! * data[starts[t]! + c]!;
    sums[sumStart + c] = sums[sumStart + c]! + sum;
  }
}
