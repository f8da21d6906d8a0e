/**
 * One layer of LagKV's official cache: sinks and the survivors of every compressed partition, per KV head. Survivors are never
 * scored again, so lists only grow. The official class stores survivors by score; ours are ascending, which attention does not see.
 */
import type { IndexList, ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import { sliceRows } from '../../../gpu/rows';
import type { LayerInput, MethodContext, Remembered } from '../method';
import { readConstantChannels } from './constant-channels';
import { compressedPartitions } from './partitions';
import type { Lag } from './schema';

/** Scores of partitions [0, partitions), one row per KV head. They do not depend on how many keys stay. */
export class LagScores implements Remembered {
  partitions = 0;
  #counted: Promise<number> | null = null;
  readonly capacity: number;
  readonly buffer: DeviceBuffer;
  readonly #context: MethodContext;
  readonly #heads: number;
  readonly #lag: Lag;
  readonly #counter: DeviceBuffer;

  constructor(context: MethodContext, heads: number, capacity: number, lag: Lag) {
    this.#context = context;
    this.#heads = heads;
    this.capacity = capacity;
    this.#lag = lag;
    this.buffer = context.ops.allocate('f32', heads * capacity * lag.lagTokens, 'lag scores');
    this.#counter = context.ops.allocate('u32', 1, 'constant channels');
  }

  get bytes(): number {
    return 4 * (this.buffer.length + this.#counter.length);
  }

  rows(from: number, to: number): ScoreRows {
    const { lagTokens } = this.#lag;
    return {
      buffer: this.buffer,
      offset: from * lagTokens,
      rows: this.#heads,
      length: (to - from) * lagTokens,
      rowStride: this.capacity * lagTokens,
    };
  }

  upTo(partitions: number, { key, value }: LayerInput): void {
    if (partitions <= this.partitions) return;
    const { sinkTokens, lagTokens, valueWeight } = this.#lag;
    const first = sinkTokens + this.partitions * lagTokens;
    const fresh = partitions - this.partitions;
    const rows = (fresh + 1) * lagTokens;
    const { ops } = this.#context;
    ops.lagScores({
      key: sliceRows(key, first, rows),
      value: sliceRows(value, first, rows),
      keyFactor: 1,
      valueFactor: valueWeight,
      lagTokens,
      partitions: fresh,
      out: this.rows(this.partitions, partitions),
      degenerate: this.#counter,
    });
    this.partitions = partitions;
    // A memo may let go of the scores before anybody asks.
    if (this.#context.memo) this.#counted = readConstantChannels(ops, this.#counter);
  }

  /** Channels without range that the scores met. */
  get constantChannels(): Promise<number> | null {
    if (this.#counted || this.partitions === 0) return this.#counted;
    return readConstantChannels(this.#context.ops, this.#counter);
  }

  release(): void {
    this.#context.ops.release(this.buffer, this.#counter);
  }
}

export class CompressedLayer {
  readonly #context: MethodContext;
  readonly #lag: Lag;
  #partitions = 0;
  /** Partitions that there is room for. */
  #capacity = 0;
  #scores: LagScores | null = null;
  #list: DeviceBuffer | null = null;
  #tied: DeviceBuffer | null = null;

  constructor(context: MethodContext, lag: Lag) {
    this.#context = context;
    this.#lag = lag;
  }

  /** Compresses what the rule compresses before a block that starts at `input.block.start`; `expectedTokens` sizes buffers. */
  update(input: LayerInput, expectedTokens: number): void {
    const partitions = compressedPartitions(input.block.start, this.#lag);
    const heads = input.key.heads;
    if (!this.#list || partitions > this.#capacity) {
      const expected = compressedPartitions(expectedTokens, this.#lag);
      this.#allocate(heads, partitions <= expected ? expected : Math.ceil(1.25 * partitions));
    }
    const scores = this.#scoresOf(input);
    scores.upTo(partitions, input);
    const { sinkTokens, lagTokens, keptOfPartition } = this.#lag;
    for (; this.#partitions < partitions; this.#partitions++) {
      this.#context.ops.topK({
        score: scores.rows(this.#partitions, this.#partitions + 1),
        count: keptOfPartition,
        indexBase: sinkTokens + this.#partitions * lagTokens,
        out: {
          buffer: this.#list!,
          offset: sinkTokens + this.#partitions * keptOfPartition,
          sets: heads,
          count: keptOfPartition,
          rowStride: this.#rowStride(),
        },
        tied: { buffer: this.#tied!, offset: 0 },
      });
    }
  }

  /** Sinks and survivors, per KV head. */
  kept(heads: number): IndexList {
    const { sinkTokens, keptOfPartition } = this.#lag;
    return {
      buffer: this.#list!,
      offset: 0,
      sets: heads,
      count: sinkTokens + this.#partitions * keptOfPartition,
      rowStride: this.#rowStride(),
    };
  }

  /** Of the update just made. */
  scoreRows(): ScoreRows {
    return this.#scores!.rows(0, this.#partitions);
  }

  get constantChannels(): Promise<number> | null {
    return this.#scores?.constantChannels ?? null;
  }

  /** Per KV head, of the partition compressed last. */
  tiedAtCut(heads: number): { buffer: DeviceBuffer; offset: number; sets: number } {
    return { buffer: this.#tied!, offset: 0, sets: heads };
  }

  get length(): number {
    return this.#partitions;
  }

  /** Forgets partitions; their tokens may be others when they come again. */
  shorten(partitions: number): void {
    this.#partitions = Math.min(this.#partitions, partitions);
    if (this.#scores) this.#scores.partitions = Math.min(this.#scores.partitions, partitions);
  }

  release(): void {
    const { ops, memo } = this.#context;
    if (this.#scores && !memo) this.#scores.release();
    if (this.#list) ops.release(this.#list);
    if (this.#tied) ops.release(this.#tied);
    this.#scores = null;
    this.#list = null;
    this.#tied = null;
    this.#partitions = 0;
  }

  #rowStride(): number {
    return this.#lag.sinkTokens + this.#capacity * this.#lag.keptOfPartition;
  }

  /** From the memo, which has them for any number of kept keys, or this layer's own. */
  #scoresOf({ layer, key }: LayerInput): LagScores {
    const context = this.#context;
    const lag = this.#lag;
    const capacity = this.#capacity;
    const make = () => new LagScores(context, key.heads, capacity, lag);
    const { sinkTokens, lagTokens, valueWeight } = lag;
    const name = [sinkTokens, lagTokens, valueWeight, layer, capacity].join('/');
    this.#scores = context.memo ? context.memo.get(`lagkv/${name}`, make) : (this.#scores ?? make());
    return this.#scores;
  }

  #allocate(heads: number, capacity: number): void {
    this.release();
    this.#capacity = capacity;
    const stride = this.#rowStride();
    const indices = new Uint32Array(heads * stride);
    for (let head = 0; head < heads; head++) {
      for (let token = 0; token < this.#lag.sinkTokens; token++) indices[head * stride + token] = token;
    }
    this.#list = this.#context.ops.upload(indices, 'kept keys');
    this.#tied = this.#context.ops.allocate('u32', heads, 'tied at the cut');
  }
}
