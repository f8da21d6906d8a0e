/**
 * One layer of H2O's cache (h2o_hf/utils_real_drop/modify_llama.py, H2OKVCache_LayerWise): per query head the tokens that stay, and the
 * attention that each has received from all queries so far, in the order of the text.
 */
import type { IndexList, RowScalars } from '../../../gpu/ops';
import { type DeviceBuffer, headMajorRows, type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { inCachePlaces } from '../cache-positions';
import { keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, Selection } from '../method';
import { denseScores } from '../units';

/** Tokens [0, length) in order, and views of them. */
export interface Counting {
  upTo(length: number): DeviceBuffer;
}

/** What stays after a block, and what stayed after those before: `states` times `count` tokens of each query head. */
interface Held {
  readonly count: number;
  readonly states: number;
  /** [states, H, count]: attention received. */
  readonly received: DeviceBuffer;
  /** [states, H, count], with room for one more. */
  readonly tokens: DeviceBuffer;
  /** [states, H]. */
  readonly tied: DeviceBuffer;
}

/** One of the states that are held: where rows of a head begin. */
interface State {
  readonly held: Held;
  readonly at: number;
}

/** Queries of a block, and keys that they are compared with. */
type Compared = Pick<LayerInput, 'block' | 'query' | 'key'>;

/** States that are made room for at once, where tokens come one by one. */
export const STATES_AHEAD = 3;

const DROPPED_EARLIER =
  'when there was no room for it the attention that it had received was among the least, and it is gone for good';

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
  #now: State | null = null;
  #marked: State | null = null;
  /** Who looks at a block's selection may do so until the next block has been followed. */
  #last: Held | null = null;
  /** Whether tokens have been dropped: what stays then is no longer everything. */
  #isCut = false;
  #wasCut = false;

  constructor(context: MethodContext, room: Room, counting: Counting) {
    this.#context = context;
    this.#room = room;
    this.#counting = counting;
  }

  /** What a block of one query sees: the heavy tokens, and all from the recent ones on; everything as long as nothing was dropped. */
  selection({ block }: LayerInput): Selection {
    const now = this.#now;
    if (!now || !this.#isCut) return keepEverything(block.start);
    const { ops, queryHeads: sets } = this.#context;
    const { heavyTokens: count } = this.#room;
    // Of its own: who keeps the list may read it when the next token has changed what stays.
    const buffer = ops.scratch('u32', sets * count, 'kept keys');
    const { list, ...rest } = this.#seenFrom(now, block.start);
    if (list) {
      ops.gatherListed({
        input: column(this.#counting.upTo(block.end), 1, block.end, 0),
        list,
        out: column(buffer, sets, count, count),
      });
    }
    return {
      ...rest,
      list: list && { buffer, offset: 0, sets, count, rowStride: count },
      owned: [buffer],
    };
  }

  /**
   * What consecutive queries see that are each a block of one, in one pass. Null where keys stand at their places in the cache: what a
   * query compares then moves with every token.
   */
  selections(input: LayerInput): Selection[] | null {
    if (this.#room.isInCache) return null;
    const { start, end } = input.block;
    // Before anything is dropped every query sees everything: these are one block.
    const room = this.#room.heavyTokens + this.#room.recentTokens;
    const cut = this.#isCut ? start : Math.max(start, Math.min(end, room + 1));
    const all = Array.from({ length: cut - start }, (_, i) => keepEverything(start + i));
    if (cut > start) this.#receive(this.#part(input, start, cut), null);
    if (cut === end) return all;
    const before = this.#now!;
    const held = this.#make(before.held.count, end - cut + 1);
    this.#copy(before, { held, at: 0 });
    const first = { held, at: 0 };
    this.#advance(first, this.#part(input, cut, end));
    const seen = Array.from({ length: end - cut }, (_, i) => this.#seenFrom({ held, at: i }, cut + i));
    // What was seen is released with the selections; what stays now goes on.
    const now = { held: this.#make(held.count, 1 + STATES_AHEAD), at: 0 };
    this.#copy({ held, at: end - cut }, now);
    this.#goOn(now);
    const selections = [...all, ...seen];
    selections[0] = { ...selections[0]!, owned: [held.received, held.tokens, held.tied] };
    return selections;
  }

  /** Adds what a block's queries attended to, then drops what there is no room for. */
  update(input: LayerInput, selection: Selection, logSumExp: RowScalars | null): void {
    const { block } = input;
    const fresh = block.end - block.start;
    if (fresh === 0) return;
    if (this.#isCut && fresh > 1) throw new Error('h2o reads token by token once it has dropped some');
    if (!this.#isCut) this.#receive(input, logSumExp);
    else if (this.#room.isInCache) {
      const scratch = new Scratch(this.#context.ops);
      this.#receive({ block, ...inCachePlaces(this.#context, scratch, input, selection) }, logSumExp);
      scratch.release();
    } else this.#step(input);
  }

  /** One token more, where what stays is changed in one place. */
  #step(input: LayerInput): void {
    const { held, at } = this.#now!;
    let now = this.#now!;
    if (at + 1 === held.states) {
      now = { held: this.#make(held.count, 1 + STATES_AHEAD), at: 0 };
      this.#copy(this.#now!, now);
    }
    this.#advance(now, input);
    this.#goOn({ held: now.held, at: now.at + 1 });
  }

  /** The states after `from`, one for each query of the block. */
  #advance({ held, at }: State, { block, query, key }: Compared): void {
    const { ops, queryHeads: heads, scores } = this.#context;
    const rows = heads * (block.end - block.start + 1);
    const offset = at * heads * held.count;
    ops.heavyHitters({
      ...{ query, key, ...scores, firstKey: block.start, recentCount: this.#room.recentTokens },
      tokens: { ...this.#list(held.tokens, held.count, held.count), offset, sets: rows },
      received: { ...denseScores(held.received, rows, held.count), offset },
      tied: { buffer: held.tied, offset: at * heads },
    });
  }

  /** A part of a block's queries, and the keys up to them. */
  #part({ block, query, key }: Compared, start: number, end: number): Compared {
    return {
      block: { start, end },
      query: sliceRows(query, start - block.start, end - start),
      key: sliceRows(key, 0, end),
    };
  }

  /** There is one for every token of a text: records are written out, which takes a tenth of spreading others. */
  #seenFrom({ held: { count: rowStride, tokens, received, tied }, at }: State, token: number): Selection {
    const { queryHeads: sets } = this.#context;
    const { heavyTokens: count, recentTokens } = this.#room;
    const rangeStart = token - recentTokens;
    const offset = at * sets * rowStride;
    return {
      list: count > 0 ? { buffer: tokens, offset, sets, count, rowStride } : null,
      rangeStart,
      candidates: { start: 0, end: rangeStart },
      score: {
        rows: { buffer: received, offset, rows: sets, length: rowStride, rowStride },
        scoreStart: 0,
        tokens: { buffer: tokens, offset, sets, count: rowStride, rowStride },
      },
      tiedAtCut: count > 0 ? { buffer: tied, offset: at * sets, sets } : null,
      droppedEarlier: DROPPED_EARLIER,
      owned: [],
    };
  }

  /** Adds what a block's queries attended to, causally, then drops what there is no room for; keys are all that they saw. */
  #receive({ block, query, key }: Compared, logSumExp: RowScalars | null): void {
    const { ops, queryHeads: heads, scores } = this.#context;
    const fresh = block.end - block.start;
    const before = this.#now;
    const count = (before?.held.count ?? 0) + fresh;
    const scratch = new Scratch(ops);
    const range = { start: 0, end: count, causal: true };
    const lambda = logSumExp ?? scratch.scalars(heads, fresh, 'log-sum-exp of a block');
    if (!logSumExp) {
      const out = scratch.rows(heads, fresh, query.channels, 'output of a block');
      ops.attention({ query, key, value: key, ...scores, visible: { range }, out, logSumExp: lambda });
    }
    const sums = scratch.floats(heads * count, 'attention received');
    const score = denseScores(sums, heads, count);
    ops.accumulatedAttention({ query, key, ...scores, logSumExp: lambda, visible: { range }, out: score });
    if (before) {
      const { held, at } = before;
      const input = column(held.received, heads, held.count, held.count, at * heads * held.count);
      ops.sumHeads({ input, out: column(sums, heads, held.count, count), accumulate: true });
    }
    this.#keep(scratch, sums, count, block.end);
    scratch.release();
  }

  mark(): void {
    this.#free([this.#marked?.held], [this.#now?.held, this.#last]);
    this.#marked = this.#now;
    this.#wasCut = this.#isCut;
  }

  rewind(): void {
    this.#free([this.#now?.held, this.#last], [this.#marked?.held]);
    this.#now = this.#marked;
    this.#last = null;
    this.#isCut = this.#wasCut;
  }

  release(): void {
    this.#free([this.#now?.held, this.#last, this.#marked?.held], []);
    this.#now = null;
    this.#last = null;
    this.#marked = null;
  }

  /** Of `count` tokens with `sums` those that stay, the last of which is `end` − 1. */
  #keep(scratch: Scratch, sums: DeviceBuffer, count: number, end: number): void {
    const { ops, queryHeads: heads } = this.#context;
    const { heavyTokens, recentTokens } = this.#room;
    const counting = this.#counting.upTo(end);
    const numbers = column(counting, 1, end, 0);
    const isCut = count > heavyTokens + recentTokens;
    const kept = isCut ? heavyTokens + recentTokens : count;
    const next = this.#make(kept, isCut && !this.#room.isInCache ? 1 + STATES_AHEAD : 1);
    let places = this.#first(kept);
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
        list: { ...this.#first(recentTokens), offset: older },
        out: column(buffer, heads, recentTokens, kept, heavyTokens),
      });
    }
    // Before anything is dropped a token's place is its number.
    const tokens = this.#now && this.#isCut ? this.#withLast(scratch, this.#now, end) : numbers;
    const take = (input: Rows, out: Rows): void => ops.gatherListed({ input, list: places, out });
    take(column(sums, heads, count, count), column(next.received, heads, kept, kept));
    take(tokens, column(next.tokens, heads, kept, kept));
    this.#goOn({ held: next, at: 0 });
    this.#isCut ||= isCut;
  }

  /** The tokens of a state, and behind them token `end` − 1. */
  #withLast(scratch: Scratch, { held, at }: State, end: number): Rows {
    const { ops, queryHeads: heads } = this.#context;
    const { count } = held;
    const tokens = column(scratch.integers(heads * (count + 1), 'tokens'), heads, count + 1, count + 1);
    ops.gatherListed({
      input: column(held.tokens, heads, count, count, at * heads * count),
      list: this.#first(count),
      out: sliceRows(tokens, 0, count),
    });
    ops.gatherListed({
      input: column(this.#counting.upTo(end), 1, end, 0),
      list: { ...this.#first(1), offset: end - 1 },
      out: sliceRows(tokens, count, 1),
    });
    return tokens;
  }

  /** What stays from now on. */
  #goOn(next: State): void {
    const before = this.#now?.held;
    this.#now = next;
    if (!before || before === next.held) return;
    this.#free([this.#last], [this.#marked?.held]);
    this.#last = before;
  }

  #copy(from: State, to: State): void {
    const { ops, queryHeads: heads } = this.#context;
    const parts = [
      ['received', from.held.count],
      ['tokens', from.held.count],
      ['tied', 1],
    ] as const;
    for (const [name, size] of parts) {
      ops.gatherListed({
        input: column(from.held[name], 1, heads * size, 0, from.at * heads * size),
        list: this.#first(heads * size),
        out: column(to.held[name], 1, heads * size, 0, to.at * heads * size),
      });
    }
  }

  #make(count: number, states: number): Held {
    const { ops, queryHeads: heads } = this.#context;
    return {
      ...{ count, states },
      received: ops.scratch('f32', states * heads * count, 'attention received'),
      tokens: ops.scratch('u32', states * heads * count, 'tokens in the cache'),
      tied: ops.allocate('u32', states * heads, 'tied at the cut'),
    };
  }

  /** Releases each of `all` once that is none of `others`. */
  #free(all: readonly (Held | null | undefined)[], others: readonly (Held | null | undefined)[]): void {
    for (const held of new Set(all)) {
      if (held && !others.includes(held)) this.#context.ops.release(held.received, held.tokens, held.tied);
    }
  }

  #list(buffer: DeviceBuffer, count: number, rowStride: number): IndexList {
    return { buffer, offset: 0, sets: this.#context.queryHeads, count, rowStride };
  }

  /** The first `count` rows, for all heads. */
  #first(count: number): IndexList {
    return { buffer: this.#counting.upTo(count), offset: 0, sets: 1, count, rowStride: count };
  }
}
