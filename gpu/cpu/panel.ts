/**
 * Dot products of a few rows with many: the inner loop of matmul, attention and everything that scores keys.
 *
 * A panel holds, for up to `PANEL_ROWS` left rows, their products with `count` right rows: panel[r · stride + t]. Four
 * left rows are taken at once, four right rows at a time, with the sixteen sums in locals, so that each number loaded is
 * used four times. Sums are in double precision.
 */
import type { Rows } from '../rows';

export const PANEL_ROWS = 4;

/** Rows of one head, and where each starts: what lets scattered rows be read as fast as dense ones. */
export interface RowStarts {
  readonly data: Float32Array;
  readonly starts: Int32Array;
}

/** Start of every row of one head of a view. */
export function rowStarts(view: Rows, head: number): Int32Array {
  const starts = new Int32Array(view.rows);
  const base = view.offset + head * view.headStride;
  for (let row = 0; row < view.rows; row++) starts[row] = base + row * view.rowStride;
  return starts;
}

/** Fills panel[r · stride + t] = scale · (left row r · right row t) for r < rows ≤ PANEL_ROWS, t in [from, to). */
export function fillPanel(
  left: Float32Array,
  leftStart: number,
  leftStride: number,
  rows: number,
  right: RowStarts,
  from: number,
  to: number,
  channels: number,
  scale: number,
  packed: Float64Array,
  panel: Float64Array,
  stride: number,
): void {
  if (rows === PANEL_ROWS) {
    for (let c = 0; c < channels; c++) {
      packed[4 * c] = left[leftStart + c]! * scale;
      packed[4 * c + 1] = left[leftStart + leftStride + c]! * scale;
      packed[4 * c + 2] = left[leftStart + 2 * leftStride + c]! * scale;
      packed[4 * c + 3] = left[leftStart + 3 * leftStride + c]! * scale;
    }
    fillFourRows(packed, right.data, right.starts, from, to, channels, panel, stride);
    return;
  }
  for (let row = 0; row < rows; row++) {
    for (let c = 0; c < channels; c++) packed[c] = left[leftStart + row * leftStride + c]! * scale;
    fillOneRow(packed, right.data, right.starts, from, to, channels, panel, row * stride);
  }
}

function fillFourRows(
  packed: Float64Array,
  right: Float32Array,
  starts: Int32Array,
  from: number,
  to: number,
  channels: number,
  panel: Float64Array,
  stride: number,
): void {
  let t = from;
  for (; t + 4 <= to; t += 4) {
    let at0 = starts[t]!;
    let at1 = starts[t + 1]!;
    let at2 = starts[t + 2]!;
    let at3 = starts[t + 3]!;
    let s00 = 0;
    let s01 = 0;
    let s02 = 0;
    let s03 = 0;
    let s10 = 0;
    let s11 = 0;
    let s12 = 0;
    let s13 = 0;
    let s20 = 0;
    let s21 = 0;
    let s22 = 0;
    let s23 = 0;
    let s30 = 0;
    let s31 = 0;
    let s32 = 0;
    let s33 = 0;
    for (let at = 0; at < 4 * channels; at += 4) {
      const a0 = packed[at]!;
      const a1 = packed[at + 1]!;
      const a2 = packed[at + 2]!;
      const a3 = packed[at + 3]!;
      const b0 = right[at0++]!;
      s00 += a0 * b0;
      s10 += a1 * b0;
      s20 += a2 * b0;
      s30 += a3 * b0;
      const b1 = right[at1++]!;
      s01 += a0 * b1;
      s11 += a1 * b1;
      s21 += a2 * b1;
      s31 += a3 * b1;
      const b2 = right[at2++]!;
      s02 += a0 * b2;
      s12 += a1 * b2;
      s22 += a2 * b2;
      s32 += a3 * b2;
      const b3 = right[at3++]!;
      s03 += a0 * b3;
      s13 += a1 * b3;
      s23 += a2 * b3;
      s33 += a3 * b3;
    }
    panel[t] = s00;
    panel[t + 1] = s01;
    panel[t + 2] = s02;
    panel[t + 3] = s03;
    panel[stride + t] = s10;
    panel[stride + t + 1] = s11;
    panel[stride + t + 2] = s12;
    panel[stride + t + 3] = s13;
    panel[2 * stride + t] = s20;
    panel[2 * stride + t + 1] = s21;
    panel[2 * stride + t + 2] = s22;
    panel[2 * stride + t + 3] = s23;
    panel[3 * stride + t] = s30;
    panel[3 * stride + t + 1] = s31;
    panel[3 * stride + t + 2] = s32;
    panel[3 * stride + t + 3] = s33;
  }
  for (; t < to; t++) {
    const start = starts[t]!;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let c = 0; c < channels; c++) {
      const b = right[start + c]!;
      s0 += packed[4 * c]! * b;
      s1 += packed[4 * c + 1]! * b;
      s2 += packed[4 * c + 2]! * b;
      s3 += packed[4 * c + 3]! * b;
    }
    panel[t] = s0;
    panel[stride + t] = s1;
    panel[2 * stride + t] = s2;
    panel[3 * stride + t] = s3;
  }
}

/** One left row (decoding): four right rows at a time. */
function fillOneRow(
  packed: Float64Array,
  right: Float32Array,
  starts: Int32Array,
  from: number,
  to: number,
  channels: number,
  panel: Float64Array,
  panelStart: number,
): void {
  let t = from;
  for (; t + 4 <= to; t += 4) {
    let at0 = starts[t]!;
    let at1 = starts[t + 1]!;
    let at2 = starts[t + 2]!;
    let at3 = starts[t + 3]!;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let c = 0; c < channels; c++) {
      const a = packed[c]!;
      s0 += a * right[at0++]!;
      s1 += a * right[at1++]!;
      s2 += a * right[at2++]!;
      s3 += a * right[at3++]!;
    }
    panel[panelStart + t] = s0;
    panel[panelStart + t + 1] = s1;
    panel[panelStart + t + 2] = s2;
    panel[panelStart + t + 3] = s3;
  }
  for (; t < to; t++) {
    const start = starts[t]!;
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += packed[c]! * right[start + c]!;
    panel[panelStart + t] = sum;
  }
}
