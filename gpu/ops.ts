/**
 * Every operation the engine may ask for.
 *
 * Each has a folder in `gpu/operations`: `op.ts` says what it computes of which arguments, and checks them; `cpu.ts` computes it
 * in plain TypeScript (the reference, and the fallback), `simd.ts`, where there is one, faster; `webgpu.ts` and its WGSL on a GPU.
 * Methods, the decoder and the measurements are written once, against this file.
 *
 * Operations only *encode*: they validate their arguments, and the result is there after the next `read`. A backend may
 * run them at once. `pace()` is called between pieces of work; it submits what is encoded once that is worth a
 * submission, lets other messages in, and so is where a run can be cancelled. Aliasing input and output is allowed only
 * where an operation says so. All counts may be zero; an operation on nothing does nothing.
 *
 * Floats are 32 bit; sums may be accumulated in more. Ties are broken as stated at `topK`, on every backend.
 */

import type { AccumulatedAttentionArguments } from './operations/accumulated-attention/op';
import type { ActivateArguments } from './operations/activate/op';
import type { ArgmaxArguments } from './operations/argmax/op';
import type { AttentionArguments } from './operations/attention/op';
import type { AttentionProbabilitiesArguments } from './operations/attention-probabilities/op';
import type { AttentionTilesArguments } from './operations/attention-tiles/op';
import type { BoundScoresArguments } from './operations/bound-scores/op';
import type { CascadeArguments } from './operations/cascade/op';
import type { CopyRowsArguments } from './operations/copy-rows/op';
import type { EsaImportanceArguments } from './operations/esa-importance/op';
import type { EsaImportanceByQueryArguments } from './operations/esa-importance-by-query/op';
import type { ExpandListArguments } from './operations/expand-list/op';
import type { ExpandSegmentsArguments } from './operations/expand-segments/op';
import type { GateArguments } from './operations/gate/op';
import type { GatherListedArguments } from './operations/gather-listed/op';
import type { GatherRowsArguments } from './operations/gather-rows/op';
import type { HeavyHittersArguments } from './operations/heavy-hitters/op';
import type { LagScoresArguments } from './operations/lag-scores/op';
import type { LeverageArguments } from './operations/leverage/op';
import type { ListAboveArguments } from './operations/list-above/op';
import type { MassByGroupArguments } from './operations/mass-by-group/op';
import type { MatmulArguments } from './operations/matmul/op';
import type { MergeAttentionArguments } from './operations/merge-attention/op';
import type { MixRowsArguments } from './operations/mix-rows/op';
import type { NormalizeArguments } from './operations/normalize/op';
import type { PageBoundsArguments } from './operations/page-bounds/op';
import type { PatternListsArguments } from './operations/pattern-lists/op';
import type { PoolArguments } from './operations/pool/op';
import type { RotateArguments } from './operations/rotate/op';
import type { SegmentRanksArguments } from './operations/segment-ranks/op';
import type { SegmentReduceArguments } from './operations/segment-reduce/op';
import type { SparseQueriesArguments } from './operations/sparse-queries/op';
import type { SumHeadsArguments } from './operations/sum-heads/op';
import type { TopKArguments } from './operations/top-k/op';
import type { TopKOfGroupsArguments } from './operations/top-k-of-groups/op';
import type { DeviceBuffer, ElementType, HalfType } from './rows';

export * from './arguments';
export type { TileOrigin } from './operations/attention-tiles/op';

export type BackendName = 'cpu' | 'webgpu';

/** What kernels are compiled for: the self-test, reading a text with full attention, first measurements, the rest of a study. */
export type CompileStage = 'selfTest' | 'reading' | 'measuring' | 'study';

/** Elapsed time of encoded work. `timestamp`: GPU clock; `wall`: from encoding to completion. */
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
  /** Numbers of activations that are best worked on together: fewer leave a large GPU idle, more take memory and time to cancel. */
  readonly numbersAtOnce: number;
  /** What a buffer of so many words of four bytes takes, at most `bufferBytes`. */
  storageBytes(words: number): number;
}

export interface Ops {
  readonly backend: BackendName;
  /** For people: adapter name or CPU description. */
  readonly description: string;
  /** True for a WebGPU adapter that computes in software: right answers, slower than the CPU backend. */
  readonly isSoftware: boolean;
  /** Whether it multiplies by halves at no loss of time: where it does not, they are better kept as floats if there is room. */
  readonly readsHalves: boolean;

  /**
   * Compiles what a stage of the study takes that the page opens with, and resolves once that is done; at once where nothing
   * needs compiling. Kernels that it does not reach are compiled at their first use.
   */
  warmUp(stage: CompileStage): Promise<void>;

  // ---- storage -------------------------------------------------------------------------------------------------
  /** New buffer of zeros. Throws UserError when the device cannot hold it. */
  allocate(type: ElementType, length: number, label: string): DeviceBuffer;
  /** As `allocate`, but with any contents: for what is written whole before anything reads it, and so costs no clearing. */
  scratch(type: ElementType, length: number, label: string): DeviceBuffer;
  upload(data: Float32Array | Uint32Array, label: string): DeviceBuffer;
  /** Floats of 16 bits as they are: their bits, each in one element of the array. */
  uploadHalves(type: HalfType, bits: Uint16Array, label: string): DeviceBuffer;
  /** Overwrites elements [offset, offset + data.length); ordered with encoded work. */
  write(buffer: DeviceBuffer, offset: number, data: Float32Array | Uint32Array): void;
  /** Runs all encoded work and copies elements out, halves as the floats that they are. Throws when the buffer's type is another one. */
  readFloats(buffer: DeviceBuffer, offset?: number, length?: number): Promise<Float32Array>;
  readIntegers(buffer: DeviceBuffer, offset?: number, length?: number): Promise<Uint32Array>;
  /** Frees buffers once encoded work no longer needs them. */
  release(...buffers: DeviceBuffer[]): void;
  /** Bytes held now and at most so far. */
  memory(): { readonly bytes: number; readonly peakBytes: number };
  /** What may be held; beyond it `allocate` and `upload` throw UserError. */
  readonly memoryLimits: MemoryLimits;
  pace(): Promise<void>;
  stopwatch(): Stopwatch;
  destroy(): void;

  // ---- decoder -------------------------------------------------------------------------------------------------
  /** Rows of a table by index: embeddings, learned positions. */
  gatherRows(a: GatherRowsArguments): void;
  /** Copies rows. */
  copyRows(a: CopyRowsArguments): void;
  /** RMS or layer normalization of every row. */
  normalize(a: NormalizeArguments): void;
  /** input · weightᵀ + bias, for each head. */
  matmul(a: MatmulArguments): void;
  /** SwiGLU's product, silu(gate) · up, or GeGLU's. */
  gate(a: GateArguments): void;
  /** GELU, SiLU or a soft cap, element by element. */
  activate(a: ActivateArguments): void;
  /** Rotary position embedding, half-split. */
  rotate(a: RotateArguments): void;
  /** Softmax attention over the visible keys, with its log-sum-exp. */
  attention(a: AttentionArguments): void;
  /** Merges two attention results over disjoint keys. */
  mergeAttention(a: MergeAttentionArguments): void;
  /** Index of every row's largest entry. */
  argmax(a: ArgmaxArguments): void;

  // ---- selection -----------------------------------------------------------------------------------------------
  /** Sums the query heads of every KV head. */
  sumHeads(a: SumHeadsArguments): void;
  /** SparQ: queries that keep their largest channels. */
  sparseQueries(a: SparseQueriesArguments): void;
  /** ESA: every key's importance to a block of queries. */
  esaImportance(a: EsaImportanceArguments): void;
  /** ESA: the same for queries that are each a block of one. */
  esaImportanceByQuery(a: EsaImportanceByQueryArguments): void;
  /** The mean or maximum of a sliding window over every row of scores. */
  pool(a: PoolArguments): void;
  /** The indices of the largest scores, ascending; the order of ties is with its arguments, in operations/top-k/op.ts. */
  topK(a: TopKArguments): void;
  /** The indices of the largest scores of several rows together, ascending in each. */
  topKOfGroups(a: TopKOfGroupsArguments): void;
  /** The smallest and the largest of every channel over pages of keys. */
  pageBounds(a: PageBoundsArguments): void;
  /** What keys of every page could score at most. */
  boundScores(a: BoundScoresArguments): void;
  /** Sums, means, largest or smallest of consecutive segments of scores. */
  segmentReduce(a: SegmentReduceArguments): void;
  /** What a segment has, for all its entries. */
  expandSegments(a: ExpandSegmentsArguments): void;
  /** Lists of segments as lists of what is in them. */
  expandList(a: ExpandListArguments): void;
  /** The places of every row whose scores are above a threshold. */
  listAbove(a: ListAboveArguments): void;
  /** The keys that columns, diagonals and blocks show each of consecutive queries. */
  patternLists(a: PatternListsArguments): void;
  /** A matrix along tokens. */
  mixRows(a: MixRowsArguments): void;
  /** The rows that lists name. */
  gatherListed(a: GatherListedArguments): void;
  /** H2O: a cache of fixed size through consecutive queries. */
  heavyHitters(a: HeavyHittersArguments): void;
  /** Cascading KV Cache: a cache that takes tokens in one by one and drops one of two neighbours for it. */
  cascade(a: CascadeArguments): void;
  /** LagKV: scores of partitions against the next one. */
  lagScores(a: LagScoresArguments): void;
  /** How far rows stand out of the others: their ridge leverage. */
  leverage(a: LeverageArguments): void;
  /** Ranks of scores inside consecutive segments. */
  segmentRanks(a: SegmentRanksArguments): void;
  /** Attention that every key received. */
  accumulatedAttention(a: AccumulatedAttentionArguments): void;

  // ---- measurement ---------------------------------------------------------------------------------------------
  /** Attention mass by group of key. */
  massByGroup(a: MassByGroupArguments): void;
  /** Every attention probability. */
  attentionProbabilities(a: AttentionProbabilitiesArguments): void;
  /** Tiles of attention maps, pooled to pixels. */
  attentionTiles(a: AttentionTilesArguments): void;
}

/** The argument record of an operation. */
export type Arguments<Name extends keyof Ops> = Ops[Name] extends (a: infer A) => void ? A : never;
