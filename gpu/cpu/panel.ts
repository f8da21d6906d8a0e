/**
 * Dot products of a few rows with many: the inner loop of matmul, attention and everything that scores keys.
 *
 * Four left rows are taken at once, two right rows at a time, with the eight sums in locals: more sums would use each
 * number loaded more often, but no longer fit the sixteen registers. Sums are in double precision.
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

/** Products of up to `PANEL_ROWS` left rows with many right rows. */
export class Panel {
  readonly values: Float64Array;
  readonly stride: number;
  readonly #channels: number;
  /** Left rows times the scale, in double precision; four of them channel by channel. */
  readonly #packed: Float64Array;

  /** Room for rows of `channels` against at most `stride` right rows. */
  constructor(channels: number, stride: number) {
    this.values = new Float64Array(PANEL_ROWS * stride);
    this.stride = stride;
    this.#channels = channels;
    this.#packed = new Float64Array(PANEL_ROWS * channels);
  }

  /**
   * values[r · stride + t] = scale · (left row r · right row t) for r < rows ≤ PANEL_ROWS and t < count. Left row r starts
   * at leftStart + r · leftStride. The rest of the panel keeps what it held.
   */
  fill(
    left: Float32Array,
    leftStart: number,
    leftStride: number,
    rows: number,
    right: RowStarts,
    count: number,
    scale: number,
  ): void {
    const channels = this.#channels;
    const packed = this.#packed;
    if (rows === PANEL_ROWS) {
      for (let c = 0; c < channels; c++) {
        packed[4 * c] = left[leftStart + c]! * scale;
        packed[4 * c + 1] = left[leftStart + leftStride + c]! * scale;
        packed[4 * c + 2] = left[leftStart + 2 * leftStride + c]! * scale;
        packed[4 * c + 3] = left[leftStart + 3 * leftStride + c]! * scale;
      }
      fillFourRows(packed, right.data, right.starts, count, channels, this.values, this.stride);
      return;
    }
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < channels; c++) packed[c] = left[leftStart + r * leftStride + c]! * scale;
      fillOneRow(packed, right.data, right.starts, count, channels, this.values, r * this.stride);
    }
  }
}

function fillFourRows(
  packed: Float64Array,
  right: Float32Array,
  starts: Int32Array,
  count: number,
  channels: number,
  panel: Float64Array,
  stride: number,
): void {
  let t = 0;
  for (; t + 2 <= count; t += 2) {
    let at0 = starts[t]!;
    let at1 = starts[t + 1]!;
    let s00 = 0;
    let s01 = 0;
    let s10 = 0;
    let s11 = 0;
    let s20 = 0;
    let s21 = 0;
    let s30 = 0;
    let s31 = 0;
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
    }
    panel[t] = s00;
    panel[t + 1] = s01;
    panel[stride + t] = s10;
    panel[stride + t + 1] = s11;
    panel[2 * stride + t] = s20;
    panel[2 * stride + t + 1] = s21;
    panel[3 * stride + t] = s30;
    panel[3 * stride + t + 1] = s31;
  }
  if (t < count) {
    const start = starts[t]!;
    for (let r = 0; r < 4; r++) {
      let sum = 0;
      for (let c = 0; c < channels; c++) sum += packed[4 * c + r]! * right[start + c]!;
      panel[r * stride + t] = sum;
    }
  }
}

/** One left row (decoding): four right rows at a time, two channels a turn. */
function fillOneRow(
  packed: Float64Array,
  right: Float32Array,
  starts: Int32Array,
  count: number,
  channels: number,
  panel: Float64Array,
  panelStart: number,
): void {
  const even = channels - (channels % 2);
  let t = 0;
  for (; t + 4 <= count; t += 4) {
    const start0 = starts[t]!;
    const start1 = starts[t + 1]!;
    const start2 = starts[t + 2]!;
    const start3 = starts[t + 3]!;
    let s0 = 0;
    let s1 = 0;
    let s2 = 0;
    let s3 = 0;
    for (let c = 0; c < even; c += 2) {
      const a0 = packed[c]!;
      s0 += a0 * right[start0 + c]!;
      s1 += a0 * right[start1 + c]!;
      s2 += a0 * right[start2 + c]!;
      s3 += a0 * right[start3 + c]!;
      const a1 = packed[c + 1]!;
      s0 += a1 * right[start0 + c + 1]!;
      s1 += a1 * right[start1 + c + 1]!;
      s2 += a1 * right[start2 + c + 1]!;
      s3 += a1 * right[start3 + c + 1]!;
    }
    if (even < channels) {
      const a = packed[even]!;
      s0 += a * right[start0 + even]!;
      s1 += a * right[start1 + even]!;
      s2 += a * right[start2 + even]!;
      s3 += a * right[start3 + even]!;
    }
    panel[panelStart + t] = s0;
    panel[panelStart + t + 1] = s1;
    panel[panelStart + t + 2] = s2;
    panel[panelStart + t + 3] = s3;
  }
  for (; t < count; t++) {
    const start = starts[t]!;
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += packed[c]! * right[start + c]!;
    panel[panelStart + t] = sum;
  }
}
