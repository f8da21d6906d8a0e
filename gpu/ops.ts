/**
 * Every operation the engine may ask for.
 *
 * Implemented twice: `gpu/cpu` in plain TypeScript (the reference, and the fallback), `gpu/webgpu` in WGSL. Methods, the
 * decoder and the measurements are written once, against this file.
 *
 * Operations only *record*: they validate their arguments, and the result is there after the next `read`. A backend may
 * run them at once. `pace()` is called between pieces of work; it submits what is recorded once that is worth a
 * submission, lets other messages in, and so is where a run can be cancelled. Aliasing input and output is allowed only
 * where an operation says so. All counts may be zero; an operation on nothing does nothing.
 *
 * Floats are 32 bit; sums may be accumulated in more. Ties are broken as stated at `topK`, on every backend.
 */
import type { DeviceBuffer, ElementType, Rows } from './rows';

export type BackendName = 'cpu' | 'webgpu';

/** What kernels are compiled for: the self-test, reading a text with full attention, first measurements, the rest of a study. */
export type CompileStage = 'selfTest' | 'reading' | 'measuring' | 'study';

/** Sorted key indices, one list per set: `sets` lists of `count`, list s starts at `offset + s·rowStride`. */
export interface IndexList {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly sets: number;
  readonly count: number;
  readonly rowStride: number;
}

/**
 * The key rows a block of n queries sees: those of `list` (all of them), then rows [range.start, range.end). With
 * `causal` the range is aligned at its end: query i sees range rows up to and including `range.end − n + i`.
 * A list has 1, G or H sets; query head h uses set ⌊h·sets/H⌋.
 */
export interface VisibleKeys {
  readonly list?: IndexList;
  readonly range: { readonly start: number; readonly end: number; readonly causal: boolean };
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

/** Elapsed time of recorded work. `timestamp`: GPU clock; `wall`: from record to completion. */
export interface MeasuredTime {
  readonly milliseconds: number;
  readonly clock: 'timestamp' | 'wall';
}

export interface Stopwatch {
  /** Ends the measured span; resolves once the work in it has run. */
  stop(): Promise<MeasuredTime>;
}

/** What a backend lets its buffers take. Plans are made from it without allocating anything. */
export interface MemoryLimits {
  /** All buffers together. */
  readonly budgetBytes: number;
  /** One buffer. */
  readonly bufferBytes: number;
  /** Head rows that one operation may hold intermediate results of, beside its arguments. */
  readonly temporaryRows: number;
  /** What a buffer of so many elements takes, at most `bufferBytes`. */
  storageBytes(elements: number): number;
}

/** What a row of scores holds beyond its end: finite, and below every score. */
export const LOWEST_SCORE = -3.4e38;

export interface Ops {
  readonly backend: BackendName;
  /** For people: adapter name or CPU description. */
  readonly description: string;
  /** True for a WebGPU adapter that computes in software: right answers, slower than the CPU backend. */
  readonly isSoftware: boolean;

  /**
   * Compiles what a stage of the study takes that the page opens with, and resolves once that is done; at once where nothing
   * needs compiling. Kernels that were not prepared are compiled at their first use.
   */
  prepare(stage: CompileStage): Promise<void>;

  // ---- storage -------------------------------------------------------------------------------------------------
  /** New buffer of zeros. Throws UserError when the device cannot hold it. */
  allocate(type: ElementType, length: number, label: string): DeviceBuffer;
  /** As `allocate`, but with any contents: for what is written whole before anything reads it, and so costs no clearing. */
  scratch(type: ElementType, length: number, label: string): DeviceBuffer;
  upload(data: Float32Array | Uint32Array, label: string): DeviceBuffer;
  /** Overwrites elements [offset, offset + data.length); ordered with recorded work. */
  write(buffer: DeviceBuffer, offset: number, data: Float32Array | Uint32Array): void;
  /** Runs all recorded work and copies elements out. Throws when the buffer's type is another one. */
  readFloats(buffer: DeviceBuffer, offset?: number, length?: number): Promise<Float32Array>;
  readIntegers(buffer: DeviceBuffer, offset?: number, length?: number): Promise<Uint32Array>;
  /** Frees buffers once recorded work no longer needs them. */
  release(...buffers: DeviceBuffer[]): void;
  /** Bytes held now and at most so far. */
  memory(): { readonly bytes: number; readonly peakBytes: number };
  /** What may be held; beyond it `allocate` and `upload` throw UserError. */
  readonly memoryLimits: MemoryLimits;
  pace(): Promise<void>;
  stopwatch(): Stopwatch;
  destroy(): void;

  // ---- decoder -------------------------------------------------------------------------------------------------
  /** out[0,r,:] (+)= table[0, indices[indexOffset + r], :]. Embeddings, learned positions. An index out of range reads the last row. */
  gatherRows(a: {
    table: Rows;
    indices: DeviceBuffer;
    indexOffset: number;
    out: Rows;
    accumulate?: boolean;
  }): void;
  /** out[h,r,:] = input[h,r,:]. */
  copyRows(a: { input: Rows; out: Rows }): void;
  /**
   * Per row: rms: x / √(mean(x²) + ε) · weight; layer: (x − mean) / √(var + ε) · weight + bias (var biased). out may be
   * input. weight, bias: [channels].
   */
  normalize(a: {
    kind: 'rms' | 'layer';
    input: Rows;
    weight: DeviceBuffer;
    bias?: DeviceBuffer;
    epsilon: number;
    out: Rows;
  }): void;
  /**
   * out[0,i,j] (+)= Σ_k input[0,i,k] · weight[0,j,k] + bias[j]: input [n,K], weight [M,K], out [n,M]; all one head.
   * out must not overlap input or weight.
   */
  matmul(a: { input: Rows; weight: Rows; bias?: DeviceBuffer; out: Rows; accumulate?: boolean }): void;
  /** out = silu(gate) · up, element by element, silu(x) = x / (1 + e^−x). out may be gate or up. One head each. */
  gate(a: { gate: Rows; up: Rows; out: Rows }): void;
  /** out = activation(input); 'gelu-tanh': 0.5x(1 + tanh(√(2/π)(x + 0.044715x³))), 'gelu': 0.5x(1 + erf(x/√2)). out may be input. */
  activate(a: { kind: 'gelu-tanh' | 'gelu' | 'silu'; input: Rows; out: Rows }): void;
  /**
   * Rotary embedding, half-split: with f = table.frequencies and channel c < f,
   * out[c] = x[c]·cos − x[c+f]·sin, out[c+f] = x[c+f]·cos + x[c]·sin at the row's position. out may be input.
   */
  rotate(a: { input: Rows; table: RotationTable; positions: RowPositions; out: Rows }): void;
  /**
   * Softmax attention over the visible keys: query [H,n,d], key and value [G,m,d], out [H,n,d]; KV head of query head h
   * is ⌊h·G/H⌋. logSumExp[offset + h·headStride + i] = ln Σ exp(q·k·scale). A query that sees no key gets zeros and −∞.
   */
  attention(a: {
    query: Rows;
    key: Rows;
    value: Rows;
    scale: number;
    visible: VisibleKeys;
    out: Rows;
    logSumExp?: RowScalars;
  }): void;
  /**
   * Merges two attention results over disjoint keys into `into` (ESA, App. G, Alg. 1, with the maximum subtracted):
   * o = Σ e^(λ−m)·o / Σ e^(λ−m). `from` is left as it is.
   */
  mergeAttention(a: {
    into: { out: Rows; logSumExp: RowScalars };
    from: { out: Rows; logSumExp: RowScalars };
  }): void;
  /** out[outOffset + r] = index of the largest input[0,r,:], the lower index at a tie. */
  argmax(a: { input: Rows; out: DeviceBuffer; outOffset: number }): void;

  // ---- selection -----------------------------------------------------------------------------------------------
  /** out[g,r,:] = factor · Σ over query heads h of KV head g of input[h,r,:]; input has a multiple of out's heads. */
  sumHeads(a: { input: Rows; out: Rows; factor?: number }): void;
  /**
   * ESA Eq. 4: out[outOffset + m] = max_c ( q_c·k_m − max_m' q_c·k_m' ), query [n,K], key [M,K], one head each. The
   * score matrix is not stored. M = 0 writes nothing; n = 0 writes −∞. A key whose result is NaN, or leaves 32 bits, gets −∞,
   * and so does key c mod M where query c's largest score is not finite: what is wrong shows in the result.
   */
  peakScores(a: { query: Rows; key: Rows; out: DeviceBuffer; outOffset: number }): void;
  /**
   * ESA Eq. 4 for queries that are each a block of one, and see one key more than the one before: with M_i = firstLength + i,
   * out[i, m] = q_i·k_m − max over m' < M_i of q_i·k_m' for m < M_i, LOWEST_SCORE beyond. query [n,K], key [M,K], out [n,M]. out
   * must not overlap query or key. Scores that are NaN, or leave 32 bits, give entries that are not finite.
   */
  peakScoresByQuery(a: { query: Rows; key: Rows; firstLength: number; out: ScoreRows }): void;
  /**
   * ESA Eq. 8, on each of `rows` rows: out[j] = max of input[w], |w − j| ≤ radius, clamped to the row. With `firstLength` row i
   * has firstLength + i entries, and out is −∞ beyond. Not in place.
   */
  dilate(a: { input: ScoreRows; radius: number; firstLength?: number; out: ScoreRows }): void;
  /**
   * Per score row the `count` largest, written ascending by index: out.list row r gets indexBase + position. Order:
   * score descending, then `secondary` descending if given, then index ascending. NaN counts as −∞ (as the lowest of
   * all, below −∞ itself it is not distinguished), −0 as +0.
   * tied.buffer[tied.offset + r] = number of candidates whose score (and secondary) equal those of the last one
   * kept, kept ones included (0 when count is 0). count ≥ length keeps everything.
   * out.count must be min(count, length).
   */
  topK(a: {
    score: ScoreRows;
    secondary?: ScoreRows;
    count: number;
    indexBase: number;
    out: IndexList;
    tied?: { buffer: DeviceBuffer; offset: number };
  }): void;
  /**
   * LagKV Eqs. 5–10 on consecutive partitions of `lagTokens` rows from row 0 of key and value [G, ≥(partitions+1)·L, d]:
   * partition p is scored against p+1. With Z̄ = (Z − min)/max(max − min, 1e-12) per channel of the next partition and
   * σ = std over channels (ddof 1), score_Z = softmax over the partition of σ; out[g, p·L + i] = keyFactor·score_K +
   * valueFactor·score_V. degenerate[0] += number of (head, partition, channel, K or V) whose range was below 1e-12.
   */
  lagScores(a: {
    key: Rows;
    value: Rows;
    keyFactor: number;
    valueFactor: number;
    lagTokens: number;
    partitions: number;
    out: ScoreRows;
    degenerate?: DeviceBuffer;
  }): void;
  /**
   * Rank inside consecutive segments: out = (number of entries of the segment that are smaller, or equal with a lower
   * index) / segmentLength. Row length must be a multiple of segmentLength. Not in place. kvpress lagkv_press.py.
   */
  segmentRanks(a: { input: ScoreRows; segmentLength: number; out: ScoreRows }): void;
  /**
   * Attention received: out row g, entry t = Σ over the group's query heads h and query rows i of exp(q·k·scale − lse),
   * over keys t of [0, key.rows) that query i sees (t ≤ i + causalOffset). query [H,n,d], key [G,m,d], logSumExp [H,n].
   */
  attentionColumnSums(a: {
    query: Rows;
    key: Rows;
    scale: number;
    logSumExp: RowScalars;
    causalOffset: number;
    out: ScoreRows;
  }): void;

  // ---- measurement ---------------------------------------------------------------------------------------------
  /**
   * Attention mass by class of key, from one recomputation of the weights for any number of groupings.
   * `classOf` holds `groupings × sets × key.rows` class numbers < classes; query head h uses set ⌊h·sets/H⌋. With `byRow` every
   * query row has classes of its own: `groupings × sets × n × key.rows`.
   * out [groupings, H, n, classes] is overwritten: Σ over visible keys t (t ≤ i + causalOffset) with class c of
   * exp(q·k·scale − lse).
   */
  massByClass(a: {
    query: Rows;
    key: Rows;
    scale: number;
    logSumExp: RowScalars;
    causalOffset: number;
    classOf: DeviceBuffer;
    groupings: number;
    sets: number;
    classes: number;
    byRow?: boolean;
    out: DeviceBuffer;
  }): void;
  /** out[h, i, t] = exp(q·k·scale − lse) for t ≤ i + causalOffset, 0 beyond. out is dense [H, n, m]. */
  attentionWeights(a: {
    query: Rows;
    key: Rows;
    scale: number;
    logSumExp: RowScalars;
    causalOffset: number;
    out: DeviceBuffer;
  }): void;
  /**
   * Tiles of attention maps, pooled to pixels, `width × height` each. Pixel (y, x) of a tile covers the query rows
   * tile.row + [y, y + 1)·tokensPerPixel and the key rows tile.key + [x, x + 1)·tokensPerPixel, as far as there are any. out
   * is dense [tiles, 3, height, width]: the maximum, then the mean over the pixel's causal cells (t ≤ i + causalOffset) of the
   * weights exp(q·k·scale − lse), then the largest of weight × factor: `factors` has one for each query row, the first
   * `firstKeys` keys have `firstFactor` instead. A pixel without causal cells holds 0 in all three. Every `rowStep`-th query row
   * of a pixel is evaluated, from its first: 1 is exact. tokensPerPixel and rowStep are powers of two, rowStep ≤ tokensPerPixel.
   */
  attentionTiles(a: {
    query: Rows;
    key: Rows;
    scale: number;
    logSumExp: RowScalars;
    causalOffset: number;
    tiles: readonly TileOrigin[];
    width: number;
    height: number;
    tokensPerPixel: number;
    rowStep: number;
    factors: RowScalars;
    firstKeys: number;
    firstFactor: number;
    out: DeviceBuffer;
    outOffset: number;
  }): void;
}

/** Query head of a tile, and the query and key row of its first cell. */
export interface TileOrigin {
  readonly head: number;
  readonly row: number;
  readonly key: number;
}

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
