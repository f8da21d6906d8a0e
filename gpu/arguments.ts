/** What operations take beside rows: lists of keys, masks, positions, scores. */
import type { DeviceBuffer, Rows } from './rows';

/** Sorted key indices, one list per set: `sets` lists of `count`, list s starts at `offset + s·rowStride`. */
export interface IndexList {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly sets: number;
  readonly count: number;
  readonly rowStride: number;
  /**
   * For lists of different lengths: list s has buffer[countsOffset + s] ≤ `count` entries. What lies behind them is unspecified and
   * names no keys. Without it every list has `count`.
   */
  readonly countsOffset?: number;
}

/**
 * The key rows a block of n queries sees: those of `list` (all of them), then rows [range.start, range.end). With
 * `causal` the range is aligned at its end: query i sees range rows up to and including its own, `range.end − n + i`. With a
 * `window`, which asks for `causal`, it sees of these only the last `window`; what is listed it sees all the same.
 * A list has 1, G or H sets; query head h uses set ⌊h·sets/H⌋.
 */
export interface VisibleKeys {
  readonly list?: IndexList;
  readonly range: {
    readonly start: number;
    readonly end: number;
    readonly causal: boolean;
    readonly window?: number;
  };
}

/** cos and sin of position × frequency: two tables [positions, frequencies], computed in double precision. */
export interface RotationTable {
  readonly cosine: DeviceBuffer;
  readonly sine: DeviceBuffer;
  readonly positions: number;
  /** Half the number of rotated channels; channels beyond 2·frequencies pass through. */
  readonly frequencies: number;
  /** What every entry is multiplied by (YaRN). Where it is 1, position 0 turns nothing. */
  readonly scale: number;
}

/** Position of row r: `start + r·step` (step 0: one position for all rows), or `indices[offset + r]`. */
export type RowPositions =
  | { readonly start: number; readonly step: 0 | 1 }
  | { readonly indices: DeviceBuffer; readonly offset: number };

/** What a row of scores holds beyond its end: finite, and below every score. */
export const LOWEST_SCORE = -3.4e38;

/** One number per head and row: element (h, r) at `offset + h·headStride + r`. */
export interface RowScalars {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly headStride: number;
}

/** `rows` score vectors of `length`; row r starts at `offset + r·rowStride`. */
export interface ScoreRows {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly rows: number;
  readonly length: number;
  readonly rowStride: number;
}

/** What makes a score of a product: s = q·k·scale, or with a `softCap` c, which is positive, c·tanh(s / c). */
export interface ScoreRule {
  readonly scale: number;
  readonly softCap?: number;
}

/**
 * What the operations share that recompute attention probabilities from a stored log-sum-exp: query [H,n,d], key [G,m,d],
 * logSumExp [H,n]. The probability of query head h, query row i and key t is exp(score − lse) for keys that the query sees, 0 for
 * others: it sees those with t ≤ i + causalOffset, and with a `window` of these only the last `window`, t > i + causalOffset
 * − window.
 */
export interface ProbabilityInputs extends ScoreRule {
  readonly query: Rows;
  readonly key: Rows;
  readonly logSumExp: RowScalars;
  readonly causalOffset: number;
  readonly window?: number;
}
