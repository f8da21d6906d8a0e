/**
 * Methods that drop keys once: the tokens before `evictAt` are read densely, scored, and the best `count` of them stay for
 * all later queries (kvpress, base_press.py and scorer_press.py: after prefill, per layer and KV head, for good).
 */
import type { IndexList, ScoreRows } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { blocksAround } from './blocks';
import { keptAtEviction, NOTHING_TO_EVICT } from './budget';
import { attendInCache } from './cache-positions';
import { defaultChunkTokens } from './defaults';
import { keepEverything } from './full';
import type { LayerInput, Method, MethodContext, MethodRun, QueryPlace } from './method';
import { choiceOf, type ParameterContext, type Parameters } from './parameters';
import type { Buffers } from './remember';

/** Scores of tokens [0, evictAt), one row per KV head or one for all, and what breaks their ties. */
export interface EvictionScores extends Buffers {
  readonly score: ScoreRows;
  readonly secondary?: ScoreRows;
}

export interface EvictionRule<Scores extends EvictionScores = EvictionScores> {
  /** Names what the scores of a layer depend on beside the text. Null: on the budget, too; they are made for one run. */
  readonly name: ((layer: number) => string) | null;
  /** `input` holds at least the `tokens` keys and values to score. */
  score(context: MethodContext, input: LayerInput, tokens: number): Scores;
  /** Tokens whose fate the scores decide when `count` of `tokens` stay; see Selection.candidates. */
  candidates(layer: number, tokens: number, count: number): { readonly start: number; readonly end: number };
  /** Where the scores only spell out a rule that is none of scores. */
  readonly decidedBy?: 'place' | 'lot';
  /** What making the scores of these layers has shown. */
  lateNotices?(scores: readonly Scores[]): Promise<readonly string[]>;
}

/** What stays of one layer. */
interface Kept<Scores> {
  readonly list: IndexList;
  readonly tied: DeviceBuffer;
  /** Scores that no memo has. */
  readonly scores: Scores | null;
}

/** A run that evicts by `rule`; how many keys stay is `keepFraction` of those before the eviction. */
export function evictOnce<Scores extends EvictionScores>(
  context: MethodContext,
  parameters: Parameters,
  rule: EvictionRule<Scores>,
): MethodRun {
  const { ops, evictAt, memo } = context;
  const { name } = rule;
  const kept = new Map<number, Kept<Scores>>();
  const used = new Map<number, Scores>();
  let marked: ReadonlySet<number> = new Set();
  const inCache = choiceOf(parameters, 'positions') === 'cache';

  function scoresOf(input: LayerInput): Scores {
    const { layer } = input;
    const own = kept.get(layer)?.scores;
    if (own) return own;
    const make = (): Scores => rule.score(context, input, evictAt);
    const scores = memo && name ? memo.get(`evict/${name(layer)}/${layer}/${evictAt}`, make) : make();
    used.set(layer, scores);
    return scores;
  }

  function evict({ layer }: LayerInput, scores: Scores, count: number): Kept<Scores> {
    const { score, secondary } = scores;
    const sets = score.rows;
    const buffer = ops.scratch('u32', sets * count, 'kept keys');
    const tied = ops.scratch('u32', sets, 'tied at the cut');
    const list: IndexList = { buffer, offset: 0, sets, count, rowStride: count };
    ops.topK({
      score,
      ...(secondary ? { secondary } : {}),
      count,
      indexBase: 0,
      out: list,
      tied: { buffer: tied, offset: 0 },
    });
    const state = { list, tied, scores: memo && name ? null : scores };
    kept.set(layer, state);
    return state;
  }

  function release(layer: number): void {
    const state = kept.get(layer);
    if (!state) return;
    ops.release(state.list.buffer, state.tied);
    state.scores?.release();
    kept.delete(layer);
  }

  return {
    positions: inCache ? 'cache' : 'model',
    notices: evictAt > 0 ? [] : [NOTHING_TO_EVICT],
    select(input) {
      const { layer } = input;
      const count = keptAtEviction(parameters, layer, evictAt);
      if (input.block.start < evictAt || count >= evictAt) {
        return keepEverything(Math.min(input.block.start, evictAt));
      }
      const scores = scoresOf(input);
      const { list, tied } = kept.get(layer) ?? evict(input, scores, count);
      const { score, secondary } = scores;
      const candidates = rule.candidates(layer, evictAt, count);
      // Where nothing was a candidate no score decided.
      const decidedBy = candidates.end > candidates.start ? rule.decidedBy : 'place';
      const wasCut = candidates.end > candidates.start && count > 0;
      return {
        list: count > 0 ? list : null,
        rangeStart: evictAt,
        candidates,
        score: { rows: score, ...(secondary ? { secondary } : {}), scoreStart: 0 },
        tiedAtCut: wasCut ? { buffer: tied, offset: 0, sets: list.sets } : null,
        ...(decidedBy ? { decidedBy } : {}),
        owned: [],
      };
    },
    ...(inCache ? { attend: (...args) => attendInCache(context, ...args) } : {}),
    ...(rule.lateNotices ? { lateNotices: () => rule.lateNotices!([...used.values()]) } : {}),
    mark() {
      marked = new Set(kept.keys());
    },
    rewind() {
      for (const layer of [...kept.keys()]) if (!marked.has(layer)) release(layer);
    },
    dispose() {
      for (const layer of [...kept.keys()]) release(layer);
    },
  };
}

/** Dense blocks up to the eviction and after it; their size only paces the work. */
export const evictOnceBlocks: Method['blocks'] = (_parameters, tokens, evictAt, context) =>
  blocksAround(evictAt, tokens, defaultChunkTokens(context));

/** Keys that a query sees: all before the eviction; afterwards the kept ones and what was read since. */
function keysAfterEviction(parameters: Parameters, layer: number, { position, evictAt }: QueryPlace): number {
  if (position < evictAt) return position + 1;
  const kept = Math.min(keptAtEviction(parameters, layer, evictAt), evictAt);
  return kept + position + 1 - evictAt;
}

/** Cost of a method that evicts once and scores with `operations` in all, shared out over the queries after the eviction. */
export function evictOnceCost(
  operations: (tokens: number, context: ParameterContext) => number,
): Method['cost'] {
  return (parameters, context, layer, query) => {
    const keptKeys = keysAfterEviction(parameters, layer, query);
    const isAfter = query.position >= query.evictAt;
    const isCut = keptAtEviction(parameters, layer, query.evictAt) < query.evictAt;
    const later = Math.max(1, context.tokens - query.evictAt);
    return {
      keptKeys,
      selectionOperations: isAfter && isCut ? operations(query.evictAt, context) / later : 0,
      readNumbers: 2 * context.keyValueHeads * context.headDimension * keptKeys,
    };
  };
}

/** One buffer of scores, dense [rows, length]. */
export function denseScores(buffer: DeviceBuffer, rows: number, length: number): ScoreRows {
  return { buffer, offset: 0, rows, length, rowStride: length };
}
