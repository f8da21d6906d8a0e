/** A run of InfLLM over all layers: chooses blocks of memory, attends to them from one distance, and follows what was attended to. */
import type { RowScalars, VisibleKeys } from '../../../gpu/ops';
import { type DeviceBuffer, matrixRows, type Rows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { attendParts } from '../far-and-near';
import { farRows } from '../far-rows';
import { keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, MethodRun, Selection } from '../method';
import type { Parameters } from '../parameters';
import { inBuffers, ownMemo } from '../remember';
import { denseScores } from '../units';
import { unrotatedQuery } from '../unrotated';
import { BlocksOfMemory } from './blocks-of-memory';
import { chunkTokensOf, type InfLlmLengths, lengthsIn, memoryOf, seesTwice } from './schema';

export class InfLlmRun implements MethodRun {
  readonly #context: MethodContext;
  readonly #parameters: Parameters;
  readonly #layers = new Map<number, BlocksOfMemory>();
  /** Constants. */
  readonly #own = ownMemo();

  constructor(context: MethodContext, parameters: Parameters) {
    this.#context = context;
    this.#parameters = parameters;
  }

  select(input: LayerInput): Selection {
    const { layer, block } = input;
    const lengths = lengthsIn(this.#parameters, layer);
    const { initEnd, blocks, blocksEnd } = memoryOf(lengths, block.start);
    const candidates = { start: initEnd, end: blocksEnd };
    const { selectedBlocks: chosen, blockTokens } = lengths;
    if (blocks <= chosen) return { ...keepEverything(block.start), candidates };

    const { ops } = this.#context;
    const scratch = new Scratch(ops);
    const query = this.#meanQuery(input, scratch);
    const scores = ops.scratch('f32', blocks, 'scores of blocks');
    ops.matmul({
      input: query,
      weight: this.#memory(layer).representatives(blocks),
      out: matrixRows(scores, 1, blocks),
    });
    const best = scratch.integers(chosen, 'chosen blocks');
    const segments = { buffer: best, offset: 0, sets: 1, count: chosen, rowStride: chosen };
    const tied = ops.scratch('u32', 1, 'tied at the cut');
    const score = denseScores(scores, 1, blocks);
    ops.topK({ score, count: chosen, indexBase: 0, out: segments, tied: { buffer: tied, offset: 0 } });

    const count = initEnd + chosen * blockTokens;
    // Initial tokens, those of the blocks, then how many there were of both, which is known.
    const kept = ops.scratch('u32', count + 1, 'kept tokens');
    const list = { buffer: kept, offset: 0, sets: 1, count, rowStride: count };
    const expand = (of: typeof segments, segmentLength: number, start: number, end: number, at: number) =>
      ops.expandList({
        ...{ segments: of, segmentLength, indexBase: start, end },
        out: { ...list, offset: at, count: of.count * segmentLength, countsOffset: count },
      });
    const first = { buffer: this.#firstSegment(), offset: 0, sets: 1 };
    expand({ ...first, count: 1, rowStride: 1 }, initEnd, 0, initEnd, 0);
    expand(segments, blockTokens, initEnd, blocksEnd, initEnd);
    scratch.release();
    return {
      list: count > 0 ? list : null,
      rangeStart: blocksEnd,
      candidates,
      score: { rows: score, scoreStart: initEnd, tokensPerScore: blockTokens },
      tiedAtCut: chosen > 0 ? { buffer: tied, offset: 0, sets: 1 } : null,
      owned: [kept, tied, scores],
    };
  }

  /**
   * Local tokens stand at their distances, which the paper's re-based positions come to; those of the list, and tokens in no block
   * that are not local, are seen from n_local − 1 as the code's table has it.
   */
  attend(input: LayerInput, selection: Selection, out: Rows, logSumExp: RowScalars): void {
    const { layer, block } = input;
    const { localTokens } = lengthsIn(this.#parameters, layer);
    const { list, rangeStart } = selection;
    const { start, end } = block;
    const near = {
      range: { start: Math.max(0, start - localTokens + 1), end, causal: true, window: localTokens },
    };
    // Aligned at its end, the range ends for every query where its local tokens begin; seen twice, where those of the last do.
    const range = seesTwice(this.#parameters)
      ? { end: Math.min(this.#lastOf(block.end - 1) + 1 - localTokens, end), causal: false }
      : { end: end - localTokens, causal: true };
    const hasRange = range.end > rangeStart;
    const far: VisibleKeys = {
      ...(list ? { list } : {}),
      range: hasRange ? { ...range, start: rangeStart } : { start: 0, end: 0, causal: false },
    };
    const rowsOf = (part: LayerInput) => farRows('infllm', this.#context, localTokens - 1, part);
    const parts = { near, far: list || hasRange ? far : null };
    attendParts(this.#context, rowsOf, input, parts, { out, logSumExp });
  }

  attended(input: LayerInput, selection: Selection, logSumExp: RowScalars | null): void {
    const { query, block, layer } = input;
    if (block.end === block.start) return;
    if (logSumExp) {
      this.#memory(layer).follow(input, logSumExp);
      return;
    }
    const scratch = new Scratch(this.#context.ops);
    const out = scratch.rows(query.heads, query.rows, query.channels, 'output of a block');
    const own = scratch.scalars(query.heads, query.rows, 'log-sum-exp of a block');
    this.attend(input, selection, out, own);
    this.#memory(layer).follow(input, own);
    scratch.release();
  }

  mark(): void {
    for (const memory of this.#layers.values()) memory.mark();
  }

  rewind(): void {
    for (const memory of this.#layers.values()) memory.rewind();
  }

  dispose(): void {
    for (const memory of this.#layers.values()) memory.release();
    this.#layers.clear();
    this.#own.release();
  }

  /** The representatives of a layer's blocks so far, [blocks, H·d]. */
  representatives(layer: number, blocks: number): Rows {
    return this.#memory(layer).representatives(blocks);
  }

  /** q̄ of all heads side by side, [1, H·d]: the mean is turned, which is the mean of all turned. */
  #meanQuery(input: LayerInput, scratch: Scratch): Rows {
    const { ops } = this.#context;
    const { layer, block, keyUnrotated } = input;
    const { localTokens } = lengthsIn(this.#parameters, layer);
    const query = unrotatedQuery('infllm', input);
    const { heads, rows, channels } = query;
    const mean = scratch.rows(heads, 1, channels, 'mean query');
    ops.mixRows({ matrix: this.#meanOf(rows), input: query, out: mean });
    const turned = farRows('infllm', this.#context, localTokens - 1, {
      ...{ layer, block, queryUnrotated: mean, keyUnrotated },
    });
    for (const buffer of turned.owned) scratch.keep(buffer);
    return matrixRows(turned.query.buffer, 1, heads * channels);
  }

  /** A row of so many equal weights. */
  readonly #meanOf = (count: number): Rows => {
    const { ops } = this.#context;
    const { buffer } = this.#own.get(`mean/${count}`, () => {
      const weights = ops.upload(new Float32Array(count).fill(1 / count), 'weights of a mean');
      return inBuffers(ops, [weights], { buffer: weights });
    });
    return matrixRows(buffer, 1, count);
  };

  #firstSegment(): DeviceBuffer {
    const { ops } = this.#context;
    return this.#own.get('first segment', () => {
      const buffer = ops.upload(new Uint32Array(1), 'first segment');
      return inBuffers(ops, [buffer], { buffer });
    }).buffer;
  }

  /** The last query of the block that a query is read in. */
  #lastOf(query: number): number {
    const { promptEnd } = this.#context;
    if (query >= promptEnd) return query;
    const size = chunkTokensOf(this.#parameters);
    return Math.min(promptEnd, (Math.floor(query / size) + 1) * size) - 1;
  }

  #memory(layer: number): BlocksOfMemory {
    const lengths: InfLlmLengths = lengthsIn(this.#parameters, layer);
    const memory = this.#layers.get(layer) ?? new BlocksOfMemory(this.#context, lengths, this.#meanOf);
    this.#layers.set(layer, memory);
    return memory;
  }
}
