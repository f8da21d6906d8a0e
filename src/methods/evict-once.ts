/**
 * Methods that drop keys once: the tokens before `evictAt` are read densely, scored, and the best `count` of them stay for
 * all later queries (kvpress, base_press.py and scorer_press.py: after prefill, per layer and KV head, for good).
 */
import type { IndexList, ScoreRows } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { blocksAround } from './blocks';
import { keptOfText } from './budget';
import { attendInCache } from './cache-positions';
import { defaultChunkTokens } from './defaults';
import { keepEverything } from './full';
import type { LayerInput, Method, MethodContext, MethodRun, QueryPlace, Selection } from './method';
import { choiceOf, type ParameterContext, type Parameters } from './parameters';

/** Scores of tokens [0, evictAt), one row per KV head or one for all, and what breaks their ties. */
export interface EvictionScores {
  readonly score: ScoreRows;
  readonly secondary?: ScoreRows;
  release(): void;
}

export interface EvictionRule {
  /** `input` holds at least the `tokens` keys and values to score. */
  score(context: MethodContext, input: LayerInput, tokens: number): EvictionScores;
  /** Tokens whose fate the scores decide when `count` of `tokens` stay; see Selection.candidates. */
  candidates(layer: number, tokens: number, count: number): { readonly start: number; readonly end: number };
}

interface Kept {
  readonly selection: Selection;
  release(): void;
}

/** A run that evicts by `rule`; how many keys stay is `keepFraction`. */
export function evictOnce(context: MethodContext, parameters: Parameters, rule: EvictionRule): MethodRun {
  const { ops, evictAt } = context;
  const kept = new Map<number, Kept>();
  let marked: ReadonlySet<number> = new Set();
  const inCache = choiceOf(parameters, 'positions') === 'cache';

  function evict(input: LayerInput): Kept {
    const count = keptOfText(parameters, input.layer, context.totalTokens);
    if (count >= evictAt) return { selection: keepEverything(evictAt), release() {} };
    const make = (): EvictionScores => rule.score(context, input, evictAt);
    const scores = context.memo ? context.memo.get(`evict/${input.layer}`, make) : make();
    const sets = scores.score.rows;
    const buffer = ops.allocate('u32', sets * count, 'kept keys');
    const tied = ops.allocate('u32', sets, 'tied at the cut');
    const list: IndexList = { buffer, offset: 0, sets, count, rowStride: count };
    const { score, secondary } = scores;
    ops.topK({
      score,
      ...(secondary ? { secondary } : {}),
      count,
      indexBase: 0,
      out: list,
      tied: { buffer: tied, offset: 0 },
    });
    const candidates = rule.candidates(input.layer, evictAt, count);
    const wasCut = candidates.end > candidates.start && count > 0;
    return {
      selection: {
        list: count > 0 ? list : null,
        rangeStart: evictAt,
        candidates,
        score: { rows: score, ...(secondary ? { secondary } : {}), scoreStart: 0 },
        tiedAtCut: wasCut ? { buffer: tied, offset: 0, sets } : null,
        owned: [],
      },
      release() {
        ops.release(buffer, tied);
        if (!context.memo) scores.release();
      },
    };
  }

  return {
    positions: inCache ? 'cache' : 'model',
    select(input) {
      if (input.block.start < evictAt) return keepEverything(input.block.start);
      let state = kept.get(input.layer);
      if (!state) {
        state = evict(input);
        kept.set(input.layer, state);
      }
      return state.selection;
    },
    ...(inCache ? { attend: (...args) => attendInCache(context, ...args) } : {}),
    mark() {
      marked = new Set(kept.keys());
    },
    rewind() {
      for (const [layer, state] of kept) {
        if (marked.has(layer)) continue;
        state.release();
        kept.delete(layer);
      }
    },
    dispose() {
      for (const state of kept.values()) state.release();
      kept.clear();
    },
  };
}

/** Dense blocks up to the eviction and after it; their size only paces the work. */
export const evictOnceBlocks: Method['blocks'] = (_parameters, tokens, evictAt, context) =>
  blocksAround(evictAt, tokens, defaultChunkTokens(context));

/** Keys that a query sees: all before the eviction; afterwards the kept ones and what was read since. */
function keysAfterEviction(
  parameters: Parameters,
  context: ParameterContext,
  layer: number,
  { position, evictAt }: QueryPlace,
): number {
  if (position < evictAt) return position + 1;
  const kept = Math.min(keptOfText(parameters, layer, context.tokens), evictAt);
  return kept + position + 1 - evictAt;
}

/** Cost of a method that evicts once and scores with `operations` in all, shared out over the queries after the eviction. */
export function evictOnceCost(
  operations: (tokens: number, context: ParameterContext) => number,
): Method['cost'] {
  return (parameters, context, layer, query) => {
    const keptKeys = keysAfterEviction(parameters, context, layer, query);
    const isAfter = query.position >= query.evictAt;
    const isCut = keptOfText(parameters, layer, context.tokens) < query.evictAt;
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
