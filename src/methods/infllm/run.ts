/** A run of InfLLM over all layers: chooses blocks of memory, attends to them from one distance, and follows what was attended to. */
import type { IndexList, RowScalars, VisibleKeys } from '../../../gpu/ops';
import { type DeviceBuffer, headMajorRows, matrixRows, type Rows, tokenMajorRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { equalBlocks } from '../blocks';
import { attendParts } from '../far-and-near';
import { farRows } from '../far-rows';
import { keepEverything } from '../keep-everything';
import type { EachQuery, LayerInput, MethodContext, MethodRun, Selection } from '../method';
import type { Parameters } from '../parameters';
import { inBuffers, ownMemo } from '../remember';
import { denseScores } from '../units';
import { unrotatedQuery } from '../unrotated';
import { BlocksOfMemory } from './blocks-of-memory';
import { chunkTokensOf, type InfLlmLengths, lengthsIn, type Memory, memoryOf, seesTwice } from './schema';

/** What a query at token `start` may choose from, and what in no block yet stands between that and its local tokens. */
function placesAt(lengths: InfLlmLengths, start: number): Pick<Selection, 'candidates' | 'waitingEnd'> {
  const { initEnd, blocksEnd } = memoryOf(lengths, start);
  return { candidates: { start: initEnd, end: blocksEnd }, waitingEnd: start - lengths.localTokens };
}

type KeyRange = VisibleKeys['range'];

export class InfLlmRun implements MethodRun {
  readonly #context: MethodContext;
  readonly #parameters: Parameters;
  readonly #layers = new Map<number, BlocksOfMemory>();
  readonly each: EachQuery;
  readonly attendEach?: MethodRun['attendEach'];
  readonly isRangeFixed = true;
  /** Constants. */
  readonly #own = ownMemo();

  constructor(context: MethodContext, parameters: Parameters) {
    this.#context = context;
    this.#parameters = parameters;
    // Queries that see tokens twice depend on the block that they are read in.
    if (!seesTwice(parameters)) {
      this.attendEach = (input, { far, firstRangeStart }, out, logSumExp) => {
        const start = far ? firstRangeStart : 0;
        this.#attendParts(input, far, { start, ...this.#farRange(input, false) }, out, logSumExp);
      };
    }
    this.each = { scoresOfQuery: context.queryHeads, select: (input) => this.#selectEach(input) };
  }

  select(input: LayerInput): Selection {
    const { layer, block } = input;
    const lengths = lengthsIn(this.#parameters, layer);
    const { blocks } = memoryOf(lengths, block.start);
    if (blocks <= lengths.selectedBlocks)
      return { ...keepEverything(block.start), ...placesAt(lengths, block.start) };

    const scratch = new Scratch(this.#context.ops);
    const choices = this.#choose(layer, block.start, this.#meanQuery(input, scratch), 1);
    scratch.release();
    return choices.selections[0]!;
  }

  /** Of queries with a block each those that find the same blocks choose, attend and are followed together. */
  #selectEach(input: LayerInput): Selection[] {
    const { start, end } = input.block;
    const lengths = lengthsIn(this.#parameters, input.layer);
    const selections: Selection[] = [];
    for (let from = start, to: number; from < end; from = to) {
      const found = memoryOf(lengths, from);
      const isSame = ({ blocks, initEnd }: Memory) => blocks === found.blocks && initEnd === found.initEnd;
      to = from + 1;
      while (to < end && isSame(memoryOf(lengths, to))) to++;
      // On a trace earlier blocks are at hand.
      selections.push(...this.#selectAlike(input.atBlock({ start: from, end: to })!, found));
    }
    return selections;
  }

  #selectAlike(input: LayerInput, { blocks, blocksEnd }: Memory): readonly Selection[] {
    const { layer, block, query } = input;
    const lengths = lengthsIn(this.#parameters, layer);
    const { ops } = this.#context;
    const scratch = new Scratch(ops);
    const out = scratch.rows(query.heads, query.rows, query.channels, 'output of a block');
    const logSumExp = scratch.scalars(query.heads, query.rows, 'log-sum-exp of a block');
    const attend = (list: IndexList | null, rangeStart: number): void => {
      this.#attendParts(input, list, { start: rangeStart, ...this.#farRange(input, false) }, out, logSumExp);
      this.#memory(layer).follow(input, logSumExp);
      scratch.release();
    };
    if (blocks <= lengths.selectedBlocks) {
      attend(null, 0);
      return equalBlocks(block.start, block.end, 1).map(({ start }) => ({
        ...keepEverything(start),
        ...placesAt(lengths, start),
      }));
    }
    const turned = this.#atOnePosition(input, unrotatedQuery('infllm', input), scratch);
    const { heads, rows, channels } = turned;
    const side = scratch.floats(rows * heads * channels, 'queries side by side');
    ops.copyRows({ input: turned, out: tokenMajorRows(side, heads, rows, channels) });
    const { selections, list } = this.#choose(
      layer,
      block.start,
      matrixRows(side, rows, heads * channels),
      heads,
    );
    attend(list, blocksEnd);
    return selections;
  }

  /**
   * What queries [n, H·d] choose that find the blocks of the query at token `start`: n selections, and the lists of all, `copies` of each
   * behind those of all queries before it. The first selection owns the buffers of all.
   */
  #choose(
    layer: number,
    start: number,
    queries: Rows,
    copies: number,
  ): { readonly selections: readonly Selection[]; readonly list: IndexList | null } {
    const { ops } = this.#context;
    const lengths = lengthsIn(this.#parameters, layer);
    const { selectedBlocks: chosen, blockTokens } = lengths;
    const { initEnd, blocks, blocksEnd } = memoryOf(lengths, start);
    const sets = copies * queries.rows;
    const scratch = new Scratch(ops);
    const scores = ops.scratch('f32', sets * blocks, 'scores of blocks');
    const own = matrixRows(scores, queries.rows, blocks);
    ops.matmul({ input: queries, weight: this.#memory(layer).representatives(blocks), out: own });
    if (copies > 1) {
      const others = headMajorRows(scores, copies - 1, queries.rows, blocks, queries.rows * blocks);
      ops.copyRows({ input: { ...own, heads: copies - 1, headStride: 0 }, out: others });
    }
    const best = scratch.integers(sets * chosen, 'chosen blocks');
    const segments = { buffer: best, offset: 0, sets, count: chosen, rowStride: chosen };
    const tied = ops.scratch('u32', sets, 'tied at the cut');
    const score = denseScores(scores, sets, blocks);
    ops.topK({ score, count: chosen, indexBase: 0, out: segments, tied: { buffer: tied, offset: 0 } });

    const count = initEnd + chosen * blockTokens;
    // Initial tokens, those of the blocks, then how many there were of both, which is known.
    const kept = ops.scratch('u32', sets * (count + 1), 'kept tokens');
    const list = { buffer: kept, offset: 0, sets, count, rowStride: count };
    const expand = (of: typeof segments, segmentLength: number, first: number, end: number, at: number) =>
      ops.expandList({
        ...{ segments: of, segmentLength, indexBase: first, end },
        out: { ...list, offset: at, count: of.count * segmentLength, countsOffset: sets * count },
      });
    expand({ ...segments, buffer: this.#firstSegment(), count: 1, rowStride: 0 }, initEnd, 0, initEnd, 0);
    expand(segments, blockTokens, initEnd, blocksEnd, initEnd);
    scratch.release();
    const selections = Array.from(
      { length: queries.rows },
      (_, i): Selection => ({
        list: count > 0 ? { ...list, sets: 1, offset: i * count } : null,
        rangeStart: blocksEnd,
        ...placesAt(lengths, start + i),
        score: {
          rows: { ...score, rows: 1, offset: i * blocks },
          scoreStart: initEnd,
          tokensPerScore: blockTokens,
        },
        tiedAtCut: chosen > 0 ? { buffer: tied, offset: i, sets: 1 } : null,
        owned: i === 0 ? [kept, tied, scores] : [],
      }),
    );
    return { selections, list: count > 0 ? list : null };
  }

  /**
   * Local tokens stand at their distances, which the paper's re-based positions come to; those of the list, and tokens in no block
   * that are not local, are seen from n_local − 1 as the code's table has it.
   */
  attend(input: LayerInput, selection: Selection, out: Rows, logSumExp: RowScalars): void {
    const range = { start: selection.rangeStart, ...this.#farRange(input, seesTwice(this.#parameters)) };
    this.#attendParts(input, selection.list, range, out, logSumExp);
  }

  /** Aligned at its end, the range ends for every query where its local tokens begin; seen twice, where those of the last do. */
  #farRange({ layer, block: { end } }: LayerInput, isTwice: boolean): Omit<KeyRange, 'start'> {
    const { localTokens } = lengthsIn(this.#parameters, layer);
    return isTwice
      ? { end: Math.min(this.#lastOf(end - 1) + 1 - localTokens, end), causal: false }
      : { end: end - localTokens, causal: true };
  }

  /** A list of all queries is seen with the range, one of each query and head beside it. */
  #attendParts(
    input: LayerInput,
    list: IndexList | null,
    range: KeyRange,
    out: Rows,
    logSumExp: RowScalars,
  ): void {
    const { layer, block } = input;
    const { localTokens } = lengthsIn(this.#parameters, layer);
    const { start, end } = block;
    const near = {
      range: { start: Math.max(0, start - localTokens + 1), end, causal: true, window: localTokens },
    };
    const nothing = { start: 0, end: 0, causal: false };
    const ranges = range.end > range.start ? [{ range }] : [];
    const far: VisibleKeys[] = !list
      ? ranges
      : list.sets > 1
        ? [{ list, range: nothing }, ...ranges]
        : [{ list, range: nothing, ...ranges[0] }];
    const rowsOf = (part: LayerInput) => farRows('infllm', this.#context, localTokens - 1, part);
    attendParts(this.#context, rowsOf, input, { near, far }, { out, logSumExp });
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
    const query = unrotatedQuery('infllm', input);
    const { heads, rows, channels } = query;
    const mean = scratch.rows(heads, 1, channels, 'mean query');
    ops.mixRows({ matrix: this.#meanOf(rows), input: query, out: mean });
    return matrixRows(this.#atOnePosition(input, mean, scratch).buffer, 1, heads * channels);
  }

  /** Queries as far tokens are compared with them. */
  #atOnePosition({ layer, block, keyUnrotated }: LayerInput, queryUnrotated: Rows, scratch: Scratch): Rows {
    const { localTokens } = lengthsIn(this.#parameters, layer);
    const { query, owned } = farRows('infllm', this.#context, localTokens - 1, {
      ...{ layer, block, queryUnrotated, keyUnrotated },
    });
    for (const buffer of owned) scratch.keep(buffer);
    return query;
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
