/** Attention probabilities recomputed from a stored log-sum-exp, a few query rows at a time. */
import type { ProbabilityInputs } from '../arguments';
import { floatsOf } from './buffer';
import { capScores, exponentiate } from './exponentials';
import type { RowStarts } from './panel';
import { PANEL_ROWS, Panel, rowStarts } from './panel';

/**
 * One query head's probabilities. After `load`, probability of loaded row r and key t is at values[r · stride + t] for t below
 * limits[r]; beyond, there are leftovers. Keys below firsts[r], which lie before a window, have probability 0.
 */
export interface HeadProbabilities {
  readonly values: Float64Array | Float32Array;
  readonly stride: number;
  readonly limits: Int32Array;
  readonly firsts: Int32Array;
  /** Probabilities of the query rows row, row + step, … : `rows` of them, from 1 to PANEL_ROWS. */
  load(row: number, rows: number, step?: number): void;
}

/** Prepares the probabilities of one query head; those of another head may then no longer be loaded. */
export type ProbabilitiesOfHead = (inputs: ProbabilityInputs, head: number) => HeadProbabilities;

export const probabilitiesOfHead: ProbabilitiesOfHead = (inputs, head) =>
  new ReferenceProbabilities(inputs, head);

/** How many of `keys` keys the query rows row, row + step, … see. */
export function visibleLimits(
  row: number,
  step: number,
  causalOffset: number,
  keys: number,
  limits: Int32Array,
): void {
  for (let r = 0; r < limits.length; r++) {
    limits[r] = Math.max(0, Math.min(keys, row + r * step + causalOffset + 1));
  }
}

/** Puts zeros before the windows of the loaded rows. What lies there was computed all the same. */
export function hideBeforeWindow(
  probabilities: HeadProbabilities,
  a: ProbabilityInputs,
  row: number,
  rows: number,
  step: number,
): void {
  if (a.window === undefined) return;
  visibleLimits(row, step, a.causalOffset - a.window, a.key.rows, probabilities.firsts);
  for (let r = 0; r < rows; r++) {
    probabilities.values.fill(
      0,
      r * probabilities.stride,
      r * probabilities.stride + probabilities.firsts[r]!,
    );
  }
}

class ReferenceProbabilities implements HeadProbabilities {
  readonly values: Float64Array;
  readonly stride: number;
  readonly limits = new Int32Array(PANEL_ROWS);
  readonly firsts = new Int32Array(PANEL_ROWS);
  readonly #inputs: ProbabilityInputs;
  readonly #head: number;
  readonly #queryData: Float32Array;
  readonly #logSumExp: Float32Array;
  readonly #keys: RowStarts;
  readonly #panel: Panel;

  constructor(inputs: ProbabilityInputs, head: number) {
    const { query, key } = inputs;
    this.#inputs = inputs;
    this.#head = head;
    this.#queryData = floatsOf(query.buffer);
    this.#logSumExp = floatsOf(inputs.logSumExp.buffer);
    const keyHead = Math.floor((head * key.heads) / query.heads);
    this.#keys = { data: floatsOf(key.buffer), starts: rowStarts(key, keyHead) };
    this.#panel = new Panel(query.channels, key.rows);
    this.values = this.#panel.values;
    this.stride = key.rows;
  }

  load(row: number, rows: number, step = 1): void {
    const { query, scale, softCap, logSumExp, causalOffset } = this.#inputs;
    visibleLimits(row, step, causalOffset, this.stride, this.limits);
    const most = this.limits[rows - 1]!;
    const start = query.offset + this.#head * query.headStride + row * query.rowStride;
    this.#panel.fill(this.#queryData, start, step * query.rowStride, rows, this.#keys, most, scale);
    for (let r = 0; r < rows; r++) {
      const lse = this.#logSumExp[logSumExp.offset + this.#head * logSumExp.headStride + row + r * step]!;
      capScores(this.values, r * this.stride, this.limits[r]!, softCap);
      exponentiate(this.values, r * this.stride, this.limits[r]!, lse);
    }
    hideBeforeWindow(this, this.#inputs, row, rows, step);
  }
}
