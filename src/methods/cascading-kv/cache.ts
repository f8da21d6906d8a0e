/** One layer of Cascading KV Cache: which tokens each KV head holds, and the attention that these have received, fading. */
import type { IndexList, RowScalars } from '../../../gpu/ops';
import { type DeviceBuffer, headMajorRows, matrixRows, type Rows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { ignoreRejection } from '../../base/ignore-rejection';
import { inCachePlaces, keptRows } from '../cache-positions';
import { keepEverything } from '../keep-everything';
import type { Comparison, LayerInput, MethodContext, Selection } from '../method';
import { denseScores } from '../units';
import { comparisonsOf } from './comparisons';
import type { Filling } from './filling';

/** How a layer scores. */
export interface Rule {
  readonly sinkTokens: number;
  /** Whether all KV heads share one cache. */
  readonly isShared: boolean;
  /** Whether scores are full attention's. */
  readonly isByFullAttention: boolean;
  readonly isInCache: boolean;
  readonly beta: number;
}

/** What is held after a block. */
interface Held {
  readonly count: number;
  /** [sets, count], ascending. */
  readonly tokens: DeviceBuffer;
  /** [sets, count]: scores, times β to the power of −`since`. */
  readonly received: DeviceBuffer;
  /** Queries that they have not faded for. */
  readonly since: number;
}

/**
 * Scores fade once they would by more than this. Until then later attention counts for more instead: a score that is multiplied by
 * 0.9999999 with every query is rounded by as much.
 */
const MOST_GROWTH = 2;

export class CascadingCache {
  readonly #context: MethodContext;
  readonly #rule: Rule;
  readonly #filling: Filling;
  readonly #sets: number;
  /** The places compared, of all tokens of the text; an answer may go on behind it. */
  #drops: DeviceBuffer | null = null;
  #now: Held | null = null;
  #marked: Held | null = null;
  /** Of each block, a list for each set; null: nobody asks. */
  readonly #compared: Promise<Comparison[][]>[] | null;

  constructor(context: MethodContext, rule: Rule, filling: Filling, isAsked = false) {
    this.#compared = isAsked ? [] : null;
    this.#context = context;
    this.#rule = rule;
    this.#filling = filling;
    this.#sets = rule.isShared ? 1 : context.keyValueHeads;
  }

  /** What a block sees before itself. */
  selection({ block: { start } }: Pick<LayerInput, 'block'>): Selection {
    const now = this.#now;
    if (!now || now.count === start) return keepEverything(start);
    const { ops } = this.#context;
    const { sinkTokens, beta } = this.#rule;
    const [sets, { count }] = [this.#sets, now];
    // Of its own: who keeps them may read them when the next block has changed what is held.
    const tokens = ops.scratch('u32', sets * count, 'kept keys');
    const scores = ops.scratch('f32', sets * count, 'scores of kept keys');
    const scratch = new Scratch(ops);
    const copy = scratch.floats(sets * count, 'attention received');
    const all = listOf(tokens, sets, count);
    ops.cascade({
      ...{ tokens: listOf(now.tokens, sets, count), firstToken: start, out: all },
      ...{ score: denseScores(now.received, sets, count), outScore: denseScores(copy, sets, count) },
      drops: { buffer: now.tokens, offset: 0 },
    });
    const factor = beta ** now.since;
    ops.sumHeads({ input: column(copy, sets, count), out: column(scores, sets, count), factor });
    scratch.release();
    const subCaches = this.#filling.subCachesAfter(start);
    const newest = subCaches[0]!.tokens;
    const older = count - newest;
    const scored = { offset: sinkTokens, rowStride: count };
    return {
      list: older > 0 ? { ...all, count: older } : null,
      rangeStart: start - newest,
      candidates: { start: sinkTokens, end: start - newest },
      score: {
        rows: { ...denseScores(scores, sets, count - sinkTokens), ...scored },
        scoreStart: 0,
        tokens: { ...all, count: count - sinkTokens, ...scored },
      },
      tiedAtCut: null,
      decidedBy: 'neighbour',
      subCaches,
      owned: [tokens, scores],
    };
  }

  /** Adds what a block's queries attended to, then takes its tokens in one by one. */
  update(input: LayerInput, selection: Selection, logSumExp: RowScalars | null): void {
    const { ops } = this.#context;
    const { start, end } = input.block;
    if (end === start) return;
    const scratch = new Scratch(ops);
    const sets = this.#sets;
    const now = this.#now;
    const held = now?.count ?? 0;
    const { score, since } = this.#receive(scratch, input, selection, logSumExp);
    const drops = this.#dropsUpTo(end);
    const count = this.#filling.heldAfter(end);
    const next: Held = {
      count,
      tokens: ops.scratch('u32', sets * count, 'tokens in the cache'),
      received: ops.scratch('f32', sets * count, 'attention received'),
      since,
    };
    ops.cascade({
      // Before the first block nothing is held, in whatever buffer.
      tokens: listOf(now?.tokens ?? drops, sets, held),
      firstToken: start,
      score: denseScores(score, sets, held + end - start),
      drops: { buffer: drops, offset: 2 * start },
      out: listOf(next.tokens, sets, count),
      outScore: denseScores(next.received, sets, count),
    });
    // Nobody waits for it where the run fails first.
    this.#compared?.push(ignoreRejection(this.#compare(now, score, start, end)));
    scratch.release();
    this.#free(now, this.#marked);
    this.#now = next;
  }

  /** Whom dropped keys lost to, a list for each set. */
  async comparisons(): Promise<Comparison[][]> {
    const blocks = await Promise.all(this.#compared ?? []);
    return Array.from({ length: this.#sets }, (_, set) => blocks.flatMap((sets) => sets[set]!));
  }

  async #compare(now: Held | null, score: DeviceBuffer, start: number, end: number): Promise<Comparison[][]> {
    const { ops } = this.#context;
    const count = now?.count ?? 0;
    const all = count + end - start;
    const drops = this.#filling.drops(end).subarray(2 * start);
    const [held, scores] = await Promise.all([
      now ? ops.readIntegers(now.tokens) : new Uint32Array(0),
      ops.readFloats(score),
    ]);
    return Array.from({ length: this.#sets }, (_, set) =>
      comparisonsOf({
        ...{ held: held.subarray(set * count, (set + 1) * count), firstToken: start, drops },
        scores: scores.subarray(set * all, (set + 1) * all),
      }),
    );
  }

  mark(): void {
    this.#free(this.#marked, this.#now);
    this.#marked = this.#now;
  }

  rewind(): void {
    this.#free(this.#now, this.#marked);
    this.#now = this.#marked;
  }

  release(): void {
    this.#free(this.#now, this.#marked);
    this.#free(this.#marked, null);
    if (this.#drops) this.#context.ops.release(this.#drops);
    this.#now = null;
    this.#marked = null;
    this.#drops = null;
  }

  #dropsUpTo(end: number): DeviceBuffer {
    const { ops, totalTokens } = this.#context;
    if (this.#drops && this.#drops.length >= 2 * end) return this.#drops;
    if (this.#drops) ops.release(this.#drops);
    const tokens = end <= totalTokens ? totalTokens : Math.ceil(1.25 * end);
    this.#drops = ops.upload(this.#filling.drops(tokens), 'places compared');
    return this.#drops;
  }

  /** Scores of what is held and of the block's tokens, [sets, held + block], after the block's queries. */
  #receive(scratch: Scratch, input: LayerInput, selection: Selection, attended: RowScalars | null) {
    const { ops, scores, queryHeads, keyValueHeads } = this.#context;
    const { isInCache, isByFullAttention, beta } = this.#rule;
    const fresh = input.block.end - input.block.start;
    const isMoved = isInCache && !isByFullAttention;
    const { query, key } = isMoved
      ? inCachePlaces(this.#context, scratch, input, selection)
      : { query: input.query, key: keptRows(scratch, input.key, selection, undefined, 'keys in the cache') };
    const visible = { range: { start: 0, end: key.rows, causal: true } };
    let logSumExp = isByFullAttention ? input.logSumExp : attended;
    if (!logSumExp) {
      logSumExp = scratch.scalars(queryHeads, fresh, 'log-sum-exp of a block');
      const out = scratch.rows(queryHeads, fresh, query.channels, 'output of a block');
      ops.attention({ query, key, value: key, ...scores, visible, out, logSumExp });
    }
    const now = this.#now;
    const { since, fade, weight } = fading(beta, now?.since ?? 0, fresh);
    if (fresh > 1) logSumExp = this.#weighed(scratch, logSumExp, fresh);
    const all = key.rows;
    const received = scratch.floats(keyValueHeads * all, 'attention received');
    const out = denseScores(received, keyValueHeads, all);
    ops.accumulatedAttention({ query, key, ...scores, logSumExp, visible, out });
    const sets = this.#sets;
    const score = scratch.floats(sets * all, 'scores');
    const factor = (weight * sets) / queryHeads;
    ops.sumHeads({ input: column(received, keyValueHeads, all), out: column(score, sets, all), factor });
    if (now) {
      const input = column(now.received, sets, now.count);
      const out = { ...column(score, sets, now.count), headStride: all };
      ops.sumHeads({ input, out, factor: fade, accumulate: true });
    }
    return { score, since };
  }

  /** Log-sum-exps with which probabilities of a block's queries are less the earlier these are: exp(q·k − (lse − ln w)) is w times one. */
  #weighed(scratch: Scratch, logSumExp: RowScalars, queries: number): RowScalars {
    const { ops, queryHeads: heads } = this.#context;
    const log = logOf(this.#rule.beta);
    const weighed = scratch.scalars(heads, queries, 'weighed log-sum-exp');
    ops.copyRows({ input: scalarRows(logSumExp, heads, queries), out: scalarRows(weighed, heads, queries) });
    const shifts = Float32Array.from({ length: queries }, (_, i) => -log * (queries - 1 - i));
    ops.matmul({
      input: matrixRows(scratch.upload(new Float32Array(heads).fill(1), 'ones'), heads, 1),
      weight: matrixRows(scratch.upload(shifts, 'fading of a block'), queries, 1),
      out: matrixRows(weighed.buffer, heads, queries),
      accumulate: true,
    });
    return weighed;
  }

  /** Releases `held` unless it is `other`. */
  #free(held: Held | null, other: Held | null): void {
    if (held && held !== other) this.#context.ops.release(held.tokens, held.received);
  }
}

const logOf = (beta: number): number => Math.log1p(beta - 1);

/**
 * S ← β^n·S + (1 − β)·Σ β^(n−1−i)·A_i over n queries, of scores that are held as S·β^(−since): what these are multiplied by, the weight of
 * the last query's attention, and `since` afterwards.
 */
function fading(beta: number, before: number, queries: number) {
  const since = before + queries;
  return -logOf(beta) * since > Math.log(MOST_GROWTH)
    ? { since: 0, fade: beta ** since, weight: 1 - beta }
    : { since, fade: 1, weight: (1 - beta) / beta ** since };
}

const listOf = (buffer: DeviceBuffer, sets: number, count: number): IndexList => ({
  ...{ buffer, offset: 0, sets, count, rowStride: count },
});

/** Numbers of so many tokens, a row of each set. */
const column = (buffer: DeviceBuffer, sets: number, tokens: number): Rows =>
  headMajorRows(buffer, sets, 1, tokens);

const scalarRows = ({ buffer, offset, headStride }: RowScalars, heads: number, rows: number): Rows => ({
  ...{ buffer, offset, heads, rows: 1, channels: rows, headStride, rowStride: rows },
});
