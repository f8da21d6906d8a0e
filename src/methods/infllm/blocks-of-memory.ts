/**
 * One layer of InfLLM's memory (inf_llm/attention/context_manager.py: ContextManager.append_global, get_block_k): how much attention
 * tokens got from the queries they were local to, and what stands for every block.
 */

import type { RowScalars } from '../../../gpu/ops';
import { type DeviceBuffer, headMajorRows, matrixRows, type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { LayerInput, MethodContext } from '../method';
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

  constructor(context: MethodContext, lengths: InfLlmLengths) {
    this.#context = context;
    this.#lengths = lengths;
  }

  /** What stands for each of the first blocks, [blocks, H·d]. */
  representatives(blocks: number): Rows {
    const { queryHeads, headDimension } = this.#context;
    return matrixRows(this.#representatives!, blocks, queryHeads * headDimension);
  }

  /** Adds what a block of queries gave to its local tokens, then makes the blocks that have left the local window. */
  follow(input: LayerInput, logSumExp: RowScalars): void {
    const { ops, queryHeads: heads, attentionScale: scale } = this.#context;
    const { localTokens: window } = this.#lengths;
    const { start, end } = input.block;
    this.#makeRoom(end);
    const first = Math.max(0, start - window + 1);
    const length = end - first;
    ops.accumulatedAttention({
      query: input.query,
      key: sliceRows(input.key, first, length),
      ...{ scale, logSumExp },
      visible: { range: { start: 0, end: length, causal: true, window } },
      out: { buffer: this.#received!, offset: first, rows: heads, length, rowStride: this.#room },
      accumulate: true,
    });
    const before = memoryOf(this.#lengths, this.#end).blocks;
    const after = memoryOf(this.#lengths, end);
    for (let block = before; block < after.blocks; block++) this.#represent(input, block, after.initEnd);
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

  /** The mean of a block's keys that got the most attention, by query head. */
  #represent(input: LayerInput, block: number, initEnd: number): void {
    const { ops, queryHeads: heads, headDimension } = this.#context;
    const { blockTokens, representativeTokens: count } = this.#lengths;
    const start = initEnd + block * blockTokens;
    const scratch = new Scratch(ops);
    const buffer = scratch.integers(heads * count, 'representative tokens');
    const list = { buffer, offset: 0, sets: heads, count, rowStride: count };
    ops.topK({
      score: {
        ...{ buffer: this.#received!, offset: start, rows: heads, length: blockTokens },
        rowStride: this.#room,
      },
      ...{ count, indexBase: 0, out: list },
    });
    const key = sliceRows(unrotatedKey('infllm', input), start, blockTokens);
    const keys = scratch.rows(heads, count, headDimension, 'representative keys');
    ops.gatherListed({ input: key, list, out: keys });
    const weights = scratch.upload(new Float32Array(count).fill(1 / count), 'weights of a mean');
    const at = block * heads * headDimension;
    ops.mixRows({
      matrix: matrixRows(weights, 1, count),
      input: keys,
      out: headMajorRows(this.#representatives!, heads, 1, headDimension, at),
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
