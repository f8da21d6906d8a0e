/** Attention probabilities recomputed from a stored log-sum-exp through the WebAssembly kernels. */
import type { ProbabilityInputs } from '../../arguments';
import { floatsOf } from '../buffer';
import { PANEL_ROWS, rowStarts } from '../panel';
import {
  type HeadProbabilities,
  hideBeforeWindow,
  type ProbabilitiesOfHead,
  probabilitiesOfHead,
  visibleLimits,
} from '../probabilities';
import type { SimdKernels } from './instance';
import { packColumns, roundUp, TILE_COLUMNS } from './pack';

/** For one query, packing the keys costs more than it saves. */
const FEWEST_ROWS = 2;

/** Key elements that are packed at most: 64 MiB of them. */
const MOST_ELEMENTS = 1 << 24;

/** The reference's probabilities, in single precision. All of a head's keys are packed at once. Soft caps are the reference's alone. */
export function createSimdProbabilities(kernels: SimdKernels): ProbabilitiesOfHead {
  return (inputs, head) => {
    const { query, key } = inputs;
    const elements = key.rows * key.channels;
    const isPlain = inputs.softCap === undefined;
    if (!isPlain || query.rows < FEWEST_ROWS || elements === 0 || elements > MOST_ELEMENTS)
      return probabilitiesOfHead(inputs, head);
    return new SimdProbabilities(kernels, inputs, head);
  };
}

class SimdProbabilities implements HeadProbabilities {
  readonly values: Float32Array;
  readonly stride: number;
  readonly limits: Int32Array;
  readonly firsts = new Int32Array(PANEL_ROWS);
  readonly #kernels: SimdKernels;
  readonly #inputs: ProbabilityInputs;
  readonly #head: number;
  readonly #queryData: Float32Array;
  readonly #logSumExpData: Float32Array;
  readonly #logSumExp: Float32Array;
  readonly #query: Float32Array;
  /** Address of the packed keys. */
  readonly #keysAt: number;

  constructor(kernels: SimdKernels, inputs: ProbabilityInputs, head: number) {
    const { query, key } = inputs;
    this.#kernels = kernels;
    this.#inputs = inputs;
    this.#head = head;
    this.#queryData = floatsOf(query.buffer);
    this.#logSumExpData = floatsOf(inputs.logSumExp.buffer);
    this.stride = roundUp(key.rows, TILE_COLUMNS);
    const logSumExpAt = PANEL_ROWS;
    const valuesAt = logSumExpAt + PANEL_ROWS;
    const queryAt = valuesAt + PANEL_ROWS * this.stride;
    const keysAt = queryAt + PANEL_ROWS * query.channels;
    const memory = kernels.floats(keysAt + this.stride * key.channels);
    this.limits = new Int32Array(memory.buffer, 0, PANEL_ROWS);
    this.#logSumExp = memory.subarray(logSumExpAt, valuesAt);
    this.values = memory.subarray(valuesAt, queryAt);
    this.#query = memory.subarray(queryAt, keysAt);
    this.#keysAt = 4 * keysAt;
    const keyHead = Math.floor((head * key.heads) / query.heads);
    const keys = { data: floatsOf(key.buffer), starts: rowStarts(key, keyHead) };
    packColumns(keys, 0, key.rows, key.channels, memory, keysAt);
  }

  load(row: number, rows: number, step = 1): void {
    const { query, key, scale, logSumExp, causalOffset } = this.#inputs;
    visibleLimits(row, step, causalOffset, key.rows, this.limits);
    // The kernel takes four rows; those that are not asked for repeat the last one.
    this.limits.fill(this.limits[rows - 1]!, rows);
    for (let r = 0; r < PANEL_ROWS; r++) {
      const from = row + Math.min(r, rows - 1) * step;
      const start = query.offset + this.#head * query.headStride + from * query.rowStride;
      for (let c = 0; c < query.channels; c++) {
        this.#query[r * query.channels + c] = this.#queryData[start + c]! * scale;
      }
      this.#logSumExp[r] = this.#logSumExpData[logSumExp.offset + this.#head * logSumExp.headStride + from]!;
    }
    this.#kernels.run.weigh(
      this.#query.byteOffset,
      query.channels,
      this.#keysAt,
      this.limits.byteOffset,
      this.#logSumExp.byteOffset,
      this.values.byteOffset,
      4 * this.stride,
    );
    hideBeforeWindow(this, this.#inputs, row, rows, step);
  }
}
