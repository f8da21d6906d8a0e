/** Attention weights recomputed from a stored log-sum-exp, a few query rows at a time. */
import type { RowScalars } from '../ops';
import type { Rows } from '../rows';
import { floatsOf } from './buffer';
import type { RowStarts } from './panel';
import { fillPanel, PANEL_ROWS, rowStarts } from './panel';

export interface WeightInputs {
  readonly query: Rows;
  readonly key: Rows;
  readonly scale: number;
  readonly logSumExp: RowScalars;
  readonly causalOffset: number;
}

/**
 * One query head's weights. `load` fills `panel` for up to PANEL_ROWS query rows: weight of row r and key t at
 * r · stride + t, for t below limits[r]; beyond, the panel holds leftovers.
 */
export class HeadWeights {
  readonly panel: Float64Array;
  readonly stride: number;
  readonly limits = new Int32Array(PANEL_ROWS);
  readonly #inputs: WeightInputs;
  readonly #queryData: Float32Array;
  readonly #logSumExp: Float32Array;
  readonly #keys: RowStarts;
  readonly #packed: Float64Array;
  readonly #head: number;

  constructor(inputs: WeightInputs, head: number) {
    const { query, key } = inputs;
    const keyHead = Math.floor((head * key.heads) / query.heads);
    this.stride = key.rows;
    this.panel = new Float64Array(PANEL_ROWS * key.rows);
    this.#inputs = inputs;
    this.#queryData = floatsOf(query.buffer);
    this.#logSumExp = floatsOf(inputs.logSumExp.buffer);
    this.#keys = { data: floatsOf(key.buffer), starts: rowStarts(key, keyHead) };
    this.#packed = new Float64Array(PANEL_ROWS * query.channels);
    this.#head = head;
  }

  /** Number of keys that a query row sees. */
  visible(row: number): number {
    return Math.max(0, Math.min(this.stride, row + this.#inputs.causalOffset + 1));
  }

  /** Weights of query rows row, row + step, …: `rows` of them. */
  load(row: number, rows: number, step = 1): void {
    const { query, scale, logSumExp } = this.#inputs;
    for (let r = 0; r < rows; r++) this.limits[r] = this.visible(row + r * step);
    const most = this.limits[rows - 1]!;
    const start = query.offset + this.#head * query.headStride + row * query.rowStride;
    fillPanel(
      this.#queryData,
      start,
      step * query.rowStride,
      rows,
      this.#keys,
      0,
      most,
      query.channels,
      scale,
      this.#packed,
      this.panel,
      this.stride,
    );
    for (let r = 0; r < rows; r++) {
      const lse = this.#logSumExp[logSumExp.offset + this.#head * logSumExp.headStride + row + r * step]!;
      exponentials(this.panel, r * this.stride, this.limits[r]!, lse);
    }
  }
}

/** scores[start + t] = exp(scores[start + t] − lse) for t < count. */
function exponentials(scores: Float64Array, start: number, count: number, lse: number): void {
  for (let t = start; t < start + count; t++) scores[t] = Math.exp(scores[t]! - lse);
}
