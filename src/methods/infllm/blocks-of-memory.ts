/**
 * One layer of InfLLM's memory (inf_llm/attention/context_manager.py: ContextManager.append_global, get_block_k): how much attention
 * tokens got from the queries they were local to, and what stands for every block.
 */

import type { RowScalars } from '../../../gpu/ops';
import {
  type DeviceBuffer,
  headMajorRows,
  matrixRows,
  type Rows,
  sliceHeads,
  sliceRows,
} from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { LayerInput, MethodContext } from '../method';
import { denseScores } from '../units';
import { unrotatedKey } from '../unrotated';
import { type InfLlmLengths, memoryOf } from './schema';

export class BlocksOfMemory {
  readonly #context: MethodContext;
  readonly #lengths: InfLlmLengths;
  /** Tokens that there is room for. */
  #room = 0;
  /** [H, room]: attention received. */
  #received: DeviceBuffer | null = null;
  /** [blocks, H·d], with room for all tokens: means of keys before rotation. */
  #representatives: DeviceBuffer | null = null;
  /** Tokens that have been followed, and of `#received` what there was when it was marked. */
  #end = 0;
  #marked: { readonly end: number; readonly room: number; readonly received: DeviceBuffer | null } | null =
    null;

  readonly #meanOf: (count: number) => Rows;

  /** `meanOf`: a row of so many equal weights. */
  constructor(context: MethodContext, lengths: InfLlmLengths, meanOf: (count: number) => Rows) {
    this.#context = context;
    this.#lengths = lengths;
    this.#meanOf = meanOf;
  }

  /** What stands for each of the first blocks, [blocks, H·d]. */
  representatives(blocks: number): Rows {
    const { queryHeads, headDimension } = this.#context;
    return matrixRows(this.#representatives!, blocks, queryHeads * headDimension);
  }

  /** Adds what a block of queries gave to its local tokens, then makes the blocks that have left the local window. */
  follow(input: LayerInput, logSumExp: RowScalars): void {
    const { ops, queryHeads: heads, scores } = this.#context;
    const { localTokens: window } = this.#lengths;
    const { start, end } = input.block;
    this.#makeRoom(end);
    const first = Math.max(0, start - window + 1);
    const length = end - first;
    ops.accumulatedAttention({
      query: input.query,
      key: sliceRows(input.key, first, length),
      ...{ ...scores, logSumExp },
      visible: { range: { start: 0, end: length, causal: true, window } },
      out: { buffer: this.#received!, offset: first, rows: heads, length, rowStride: this.#room },
      accumulate: true,
    });
    const before = memoryOf(this.#lengths, this.#end).blocks;
    const after = memoryOf(this.#lengths, end);
    this.#represent(input, before, after.blocks, after.initEnd);
    this.#end = end;
  }

  mark(): void {
    if (this.#marked?.received) this.#context.ops.release(this.#marked.received);
    const received = this.#received && this.#copy(this.#received, this.#room, this.#room);
    this.#marked = { end: this.#end, room: this.#room, received };
  }

  rewind(): void {
    const { ops } = this.#context;
    const { end, room, received } = this.#marked ?? { end: 0, room: 0, received: null };
    if (this.#received) ops.release(this.#received);
    // Nothing was received beyond `end` then; representatives up to there are as they were.
    this.#received = received && this.#copy(received, room, this.#room);
    if (!received) this.#room = 0;
    if (!received && this.#representatives) {
      ops.release(this.#representatives);
      this.#representatives = null;
    }
    this.#end = end;
  }

  release(): void {
    const held = [this.#received, this.#representatives, this.#marked?.received ?? null];
    this.#context.ops.release(...held.filter((buffer) => buffer !== null));
    this.#received = null;
    this.#representatives = null;
    this.#marked = null;
  }

  /** Of blocks [first, end) the mean of the keys that got the most attention, by query head. */
  #represent(input: LayerInput, first: number, end: number, initEnd: number): void {
    const { ops, queryHeads: heads, headDimension: channels } = this.#context;
    const { blockTokens, representativeTokens: count } = this.#lengths;
    const blocks = end - first;
    if (blocks === 0) return;
    const start = initEnd + first * blockTokens;
    const scratch = new Scratch(ops);
    // Block by block, so that the heads of each are those of its keys.
    const received = scratch.rows(blocks, heads, blockTokens, 'attention received by blocks');
    ops.copyRows({
      input: {
        ...{ ...received, buffer: this.#received!, offset: start },
        ...{ headStride: blockTokens, rowStride: this.#room },
      },
      out: received,
    });
    const sets = blocks * heads;
    const buffer = scratch.integers(sets * count, 'representative tokens');
    const list = { buffer, offset: 0, sets, count, rowStride: count };
    ops.topK({
      score: denseScores(received.buffer, sets, blockTokens),
      ...{ count, indexBase: 0, out: list },
    });
    const all = unrotatedKey('infllm', input);
    const keys = scratch.rows(blocks * all.heads, blockTokens, channels, 'keys of blocks');
    for (let head = 0; head < all.heads; head++) {
      const { offset, rowStride } = sliceRows(sliceHeads(all, head, 1), start, 0);
      const size = blockTokens * channels;
      ops.copyRows({
        input: { ...all, offset, heads: blocks, rows: blockTokens, headStride: blockTokens * rowStride },
        out: { ...keys, offset: head * size, heads: blocks, headStride: all.heads * size },
      });
    }
    const chosen = scratch.rows(sets, count, channels, 'representative keys');
    ops.gatherListed({ input: keys, list, out: chosen });
    ops.mixRows({
      matrix: this.#meanOf(count),
      input: chosen,
      out: headMajorRows(this.#representatives!, sets, 1, channels, first * heads * channels),
    });
    scratch.release();
  }

  #makeRoom(tokens: number): void {
    if (tokens <= this.#room) return;
    const { ops, totalTokens, queryHeads, headDimension } = this.#context;
    const room = Math.max(totalTokens, this.#room === 0 ? tokens : Math.ceil(1.25 * tokens));
    const width = queryHeads * headDimension;
    const blocks = Math.max(1, Math.floor(room / this.#lengths.blockTokens));
    const representatives = ops.scratch('f32', blocks * width, 'representatives of blocks');
    const received = this.#received
      ? this.#copy(this.#received, this.#room, room)
      : ops.allocate('f32', queryHeads * room, 'attention received');
    if (this.#received && this.#representatives) {
      const known = memoryOf(this.#lengths, this.#end).blocks;
      ops.copyRows({
        input: matrixRows(this.#representatives, known, width),
        out: matrixRows(representatives, known, width),
      });
      ops.release(this.#received, this.#representatives);
    }
    this.#received = received;
    this.#representatives = representatives;
    this.#room = room;
  }

  /** [H, from] as [H, to], zeros beyond. */
  #copy(input: DeviceBuffer, from: number, to: number): DeviceBuffer {
    const { ops, queryHeads: heads } = this.#context;
    const buffer = ops.allocate('f32', heads * to, 'attention received');
    const kept = Math.min(from, to);
    ops.copyRows({
      input: { ...matrixRows(input, heads, kept), rowStride: from },
      out: { ...matrixRows(buffer, heads, kept), rowStride: to },
    });
    return buffer;
  }
}
