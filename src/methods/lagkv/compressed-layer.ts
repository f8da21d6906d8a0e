/**
 * One layer of LagKV's official cache: sinks and the survivors of every compressed partition, per KV head. Survivors are never
 * scored again, so lists only grow. The official class stores survivors by score; ours are ascending, which attention does not see.
 */
import type { IndexList, ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import { sliceRows } from '../../../gpu/rows';
import type { LayerInput, MethodContext } from '../method';
import { compressedPartitions } from './partitions';
import type { Lag } from './schema';

/** Scores of partitions [0, partitions), one row per KV head. They do not depend on how many keys stay. */
class LagScores {
  partitions = 0;
  readonly capacity: number;
  readonly buffer: DeviceBuffer;
  private readonly context: MethodContext;
  private readonly heads: number;
  private readonly lag: Lag;

  constructor(context: MethodContext, heads: number, capacity: number, lag: Lag) {
    this.context = context;
    this.heads = heads;
    this.capacity = capacity;
    this.lag = lag;
    this.buffer = context.ops.allocate('f32', heads * capacity * lag.lagTokens, 'lag scores');
  }

  rows(from: number, to: number): ScoreRows {
    const { lagTokens } = this.lag;
    return {
      buffer: this.buffer,
      offset: from * lagTokens,
      rows: this.heads,
      length: (to - from) * lagTokens,
      rowStride: this.capacity * lagTokens,
    };
  }

  upTo(partitions: number, { key, value }: LayerInput): void {
    if (partitions <= this.partitions) return;
    const { sinkTokens, lagTokens, valueWeight } = this.lag;
    const first = sinkTokens + this.partitions * lagTokens;
    const fresh = partitions - this.partitions;
    const rows = (fresh + 1) * lagTokens;
    const { ops, constantChannels } = this.context;
    ops.lagScores({
      key: sliceRows(key, first, rows),
      value: sliceRows(value, first, rows),
      keyFactor: 1,
      valueFactor: valueWeight,
      lagTokens,
      partitions: fresh,
      out: this.rows(this.partitions, partitions),
      ...(constantChannels ? { degenerate: constantChannels } : {}),
    });
    this.partitions = partitions;
  }

  release(): void {
    this.context.ops.release(this.buffer);
  }
}

export class CompressedLayer {
  private readonly context: MethodContext;
  private readonly lag: Lag;
  private partitions = 0;
  private scores: LagScores | null = null;
  private list: DeviceBuffer | null = null;
  private tied: DeviceBuffer | null = null;

  constructor(context: MethodContext, lag: Lag) {
    this.context = context;
    this.lag = lag;
  }

  /** Compresses what the rule compresses before a block that starts at `input.block.start`; `expectedTokens` sizes buffers. */
  update(input: LayerInput, expectedTokens: number): void {
    const partitions = compressedPartitions(input.block.start, this.lag);
    const heads = input.key.heads;
    if (!this.scores || !this.list || !this.tied || partitions > this.scores.capacity) {
      this.allocate(
        input,
        Math.max(compressedPartitions(expectedTokens, this.lag), Math.ceil(1.25 * partitions)),
      );
    }
    this.scores!.upTo(partitions, input);
    const { sinkTokens, lagTokens, keptOfPartition } = this.lag;
    for (; this.partitions < partitions; this.partitions++) {
      this.context.ops.topK({
        score: this.scores!.rows(this.partitions, this.partitions + 1),
        count: keptOfPartition,
        indexBase: sinkTokens + this.partitions * lagTokens,
        out: {
          buffer: this.list!,
          offset: sinkTokens + this.partitions * keptOfPartition,
          sets: heads,
          count: keptOfPartition,
          rowStride: this.rowStride(),
        },
        tied: { buffer: this.tied!, offset: 0 },
      });
    }
  }

  /** Sinks and survivors, per KV head. */
  kept(heads: number): IndexList {
    const { sinkTokens, keptOfPartition } = this.lag;
    return {
      buffer: this.list!,
      offset: 0,
      sets: heads,
      count: sinkTokens + this.partitions * keptOfPartition,
      rowStride: this.rowStride(),
    };
  }

  scoreRows(): ScoreRows {
    return this.scores!.rows(0, this.partitions);
  }

  /** Per KV head, of the partition compressed last. */
  tiedAtCut(heads: number): { buffer: DeviceBuffer; offset: number; sets: number } {
    return { buffer: this.tied!, offset: 0, sets: heads };
  }

  get length(): number {
    return this.partitions;
  }

  /** Forgets partitions; their tokens may be others when they come again. */
  shorten(partitions: number): void {
    this.partitions = Math.min(this.partitions, partitions);
    if (this.scores) this.scores.partitions = Math.min(this.scores.partitions, partitions);
  }

  release(): void {
    const { ops, memo } = this.context;
    if (this.scores && !memo) this.scores.release();
    if (this.list) ops.release(this.list);
    if (this.tied) ops.release(this.tied);
    this.scores = null;
    this.list = null;
    this.tied = null;
    this.partitions = 0;
  }

  private rowStride(): number {
    return this.lag.sinkTokens + this.scores!.capacity * this.lag.keptOfPartition;
  }

  private allocate({ layer, key }: LayerInput, capacity: number): void {
    const { context, lag } = this;
    const { ops, memo } = context;
    this.release();
    const make = () => new LagScores(context, key.heads, capacity, lag);
    this.scores = memo ? memo.get(`lagkv/${layer}/${capacity}`, make) : make();
    const stride = this.rowStride();
    const indices = new Uint32Array(key.heads * stride);
    for (let head = 0; head < key.heads; head++) {
      for (let token = 0; token < lag.sinkTokens; token++) indices[head * stride + token] = token;
    }
    this.list = ops.upload(indices, 'kept keys');
    this.tied = ops.allocate('u32', key.heads, 'tied at the cut');
  }
}
