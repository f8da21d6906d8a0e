/**
 * One layer of H2O's cache (h2o_hf/utils_real_drop/modify_llama.py, H2OKVCache_LayerWise): per query head the tokens that stay, and the
 * attention that each has received from all queries so far, in the order of the text.
 */
import type { IndexList, RowScalars } from '../../../gpu/ops';
import { type DeviceBuffer, headMajorRows, type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { gatherKept, inCachePlaces } from '../cache-positions';
import type { LayerInput, MethodContext, Selection } from '../method';
import { denseScores } from '../units';

/** Tokens [0, length) in order, and views of them. */
export interface Counting {
  upTo(length: number): DeviceBuffer;
}

/** What stays after a block: `count` tokens of each query head. */
interface Held {
  readonly count: number;
  /** [H, count]: attention received. */
  readonly received: DeviceBuffer;
  /** [H, count + 1], with room for the next token. */
  readonly tokens: DeviceBuffer;
  /** [H]. */
  readonly tied: DeviceBuffer;
}

export interface Room {
  readonly heavyTokens: number;
  readonly recentTokens: number;
  /** Whether keys stand at their places in the cache. */
  readonly isInCache: boolean;
}

/** One number of every head in each of `rows`. */
const column = (buffer: DeviceBuffer, heads: number, rows: number, stride: number, offset = 0): Rows => ({
  ...headMajorRows(buffer, heads, rows, 1, offset),
  headStride: stride,
});

export class HeavyHitters {
  readonly #context: MethodContext;
  readonly #room: Room;
  readonly #counting: Counting;
  #held: Held | null = null;
  #marked: Held | null = null;
  /** Of the block before last, to be written over. */
  #spare: Held | null = null;
  /** Whether tokens have been dropped: what stays then is no longer everything. */
  #isCut = false;
  #wasCut = false;

  constructor(context: MethodContext, room: Room, counting: Counting) {
    this.#context = context;
    this.#room = room;
    this.#counting = counting;
  }

  /** The heavy tokens, and all from the recent ones on; null as long as nothing was dropped. */
  selection({ block }: LayerInput): Selection | null {
    const held = this.#held;
    if (!held || !this.#isCut) return null;
    const { ops, queryHeads: sets } = this.#context;
    const { heavyTokens: count, recentTokens } = this.#room;
    const rangeStart = block.start - recentTokens;
    // Of its own: what stays is another list after the next token.
    const buffer = ops.scratch('u32', sets * count, 'kept keys');
    const all = this.#list(held.tokens, held.count, held.count + 1);
    ops.gatherListed({
      input: column(this.#counting.upTo(block.end), 1, block.end, 0),
      list: { ...all, count },
      out: column(buffer, sets, count, count),
    });
    return {
      list: count > 0 ? { buffer, offset: 0, sets, count, rowStride: count } : null,
      rangeStart,
      candidates: { start: 0, end: rangeStart },
      score: { rows: denseScores(held.received, sets, held.count), scoreStart: 0, tokens: all },
      tiedAtCut: count > 0 ? { buffer: held.tied, offset: 0, sets } : null,
      owned: [buffer],
    };
  }

  /** Adds what a block's queries attended to, then drops what there is no room for. */
  update(input: LayerInput, selection: Selection, logSumExp: RowScalars | null): void {
    const { ops, queryHeads: heads, attentionScale: scale } = this.#context;
    const { block } = input;
    const fresh = block.end - block.start;
    if (fresh === 0) return;
    if (this.#isCut && fresh > 1) throw new Error('h2o reads token by token once it has dropped some');
    const before = this.#held;
    const count = (before?.count ?? 0) + fresh;
    const scratch = new Scratch(ops);
    const { query, key } = this.#isCut ? this.#seen(scratch, input, selection) : input;
    const range = { start: 0, end: count, causal: true };
    const lambda = logSumExp ?? scratch.scalars(heads, fresh, 'log-sum-exp of a block');
    if (!logSumExp) {
      const out = scratch.rows(heads, fresh, query.channels, 'output of a block');
      ops.attention({ query, key, value: key, scale, visible: { range }, out, logSumExp: lambda });
    }
    const sums = scratch.floats(heads * count, 'attention received');
    const score = denseScores(sums, heads, count);
    ops.accumulatedAttention({ query, key, scale, logSumExp: lambda, visible: { range }, out: score });
    if (before) {
      const input = column(before.received, heads, before.count, before.count);
      ops.sumHeads({ input, out: column(sums, heads, before.count, count), accumulate: true });
    }
    this.#keep(scratch, sums, count, block.end);
    scratch.release();
  }

  mark(): void {
    const old = this.#marked;
    this.#marked = this.#held;
    this.#wasCut = this.#isCut;
    if (old && old !== this.#held) this.#free(old);
  }

  rewind(): void {
    if (this.#held && this.#held !== this.#marked) this.#free(this.#held);
    this.#held = this.#marked;
    this.#isCut = this.#wasCut;
  }

  release(): void {
    for (const held of new Set([this.#held, this.#marked, this.#spare])) if (held) this.#free(held);
    this.#held = null;
    this.#marked = null;
    this.#spare = null;
  }

  /** Queries and keys as attention compared them, a key head for each query head: heavy tokens, recent ones, the block's own. */
  #seen(scratch: Scratch, input: LayerInput, selection: Selection): { query: Rows; key: Rows } {
    if (this.#room.isInCache) return inCachePlaces(this.#context, scratch, input, selection);
    return {
      query: input.query,
      key: gatherKept(scratch, input.key, selection, undefined, 'keys that are seen'),
    };
  }

  /** Of `count` tokens with `sums` those that stay, the last of which is `end` − 1. */
  #keep(scratch: Scratch, sums: DeviceBuffer, count: number, end: number): void {
    const { ops, queryHeads: heads } = this.#context;
    const { heavyTokens, recentTokens } = this.#room;
    const before = this.#held;
    const counting = this.#counting.upTo(end);
    const numbers = column(counting, 1, end, 0);
    const isCut = count > heavyTokens + recentTokens;
    const kept = isCut ? heavyTokens + recentTokens : count;
    const next = this.#make(kept);
    let places: IndexList = { buffer: counting, offset: 0, sets: 1, count: kept, rowStride: kept };
    if (isCut) {
      const buffer = scratch.integers(heads * kept, 'places of what stays');
      places = this.#list(buffer, kept, kept);
      const older = count - recentTokens;
      ops.topK({
        score: { ...denseScores(sums, heads, count), length: older },
        ...{ count: heavyTokens, indexBase: 0, out: { ...places, count: heavyTokens } },
        tied: { buffer: next.tied, offset: 0 },
      });
      ops.gatherListed({
        input: numbers,
        list: { buffer: counting, offset: older, sets: 1, count: recentTokens, rowStride: recentTokens },
        out: column(buffer, heads, recentTokens, kept, heavyTokens),
      });
    }
    // Before anything is dropped a token's place is its number.
    let tokens = numbers;
    if (before && this.#isCut) {
      tokens = column(before.tokens, heads, count, count);
      ops.gatherListed({
        input: numbers,
        list: { buffer: counting, offset: end - 1, sets: 1, count: 1, rowStride: 1 },
        out: sliceRows(tokens, count - 1, 1),
      });
    }
    const take = (input: Rows, out: Rows): void => ops.gatherListed({ input, list: places, out });
    take(column(sums, heads, count, count), column(next.received, heads, kept, kept));
    take(tokens, column(next.tokens, heads, kept, kept + 1));
    this.#held = next;
    this.#isCut ||= isCut;
    if (before && before !== this.#marked) {
      if (this.#spare) this.#free(this.#spare);
      this.#spare = before;
    }
  }

  #make(count: number): Held {
    const { ops, queryHeads: heads } = this.#context;
    const spare = this.#spare;
    if (spare?.count === count) {
      this.#spare = null;
      return spare;
    }
    return {
      count,
      received: ops.scratch('f32', heads * count, 'attention received'),
      tokens: ops.scratch('u32', heads * (count + 1), 'tokens in the cache'),
      tied: ops.allocate('u32', heads, 'tied at the cut'),
    };
  }

  #free({ received, tokens, tied }: Held): void {
    this.#context.ops.release(received, tokens, tied);
  }

  #list(buffer: DeviceBuffer, count: number, rowStride: number): IndexList {
    return { buffer, offset: 0, sets: this.#context.queryHeads, count, rowStride };
  }
}
