/**
 * Keys are dropped once: the tokens before the eviction are read densely, scored, and the best stay for all later queries
 * (kvpress, base_press.py and scorer_press.py: after prefill, per layer, for good).
 */
import { UserError } from '../../base/user-error';
import { blocksAround } from '../blocks';
import { NOTHING_TO_EVICT } from '../budget';
import type { Budget, Followed, Kept, Parts, Schedule, Scores } from '../compose';
import { defaultChunkTokens } from '../defaults';
import { keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, MethodRun, QueryPlace } from '../method';
import type { ParameterContext, Parameters } from '../parameters';
import { expandUnits, poolUnits, unitsOf } from '../units';
import { windowNotices } from '../window-notices';

/** What stays of one layer. */
interface Evicted<Made> extends Kept {
  /** Scores that no memo has. */
  readonly scores: Made | null;
}

export const once: Schedule = {
  decides: 'once',
  evicts: true,
  isNested: false,
  isDenseBefore: true,
  /** Dense blocks up to the eviction and after it; their size only paces the work. */
  blocks: (_parameters, tokens, evictAt, context) =>
    blocksAround(evictAt, tokens, defaultChunkTokens(context)),
  start: evictOnce,
  cost(parts, parameters, context, layer, query) {
    const { scorer, budget, unit, leader } = parts;
    const leading = leader?.(parameters, layer) ?? layer;
    const unitTokens = unit.tokens(parameters, leading);
    const keptKeys = keysAfterEviction(budget, unitTokens, parameters, context, leading, query);
    const isCut = cuts(parts, parameters, context, leading, query.evictAt);
    const since = Math.max(0, query.position + 1 - query.evictAt);
    // Query heads that share a KV head may have kept the same keys, which are there once: at most all of them are.
    const shares = isCut && scorer.sets === 'queryHead' ? context.queryHeads / context.keyValueHeads : 1;
    const held =
      shares > 1 && since > 0 ? Math.min(shares * (keptKeys - since), query.evictAt) + since : keptKeys;
    return {
      keptKeys,
      selectionOperations: 0,
      readNumbers: 2 * context.keyValueHeads * context.headDimension * held,
    };
  },
  onceOperations(parts, parameters, context, layer, { evictAt }) {
    const leads = (parts.leader?.(parameters, layer) ?? layer) === layer;
    return leads && cuts(parts, parameters, context, layer, evictAt)
      ? parts.scorer.operations(parameters, context, evictAt, layer)
      : 0;
  },
  layersHeld: (layers) => layers,
};

/** Whether fewer than all of the tokens before an eviction stay in a layer. */
function cuts(
  { budget, unit }: Pick<Parts, 'budget' | 'unit'>,
  parameters: Parameters,
  { layers }: Pick<ParameterContext, 'layers'>,
  layer: number,
  evictAt: number,
): boolean {
  const units = unitsOf(unit.tokens(parameters, layer), evictAt);
  return budget.count(parameters, layer, units, evictAt, layers) < units;
}

/** Keys that a query sees: all before the eviction; afterwards the kept ones and what was read since. */
function keysAfterEviction(
  budget: Budget,
  unitTokens: number,
  parameters: Parameters,
  { layers }: Pick<ParameterContext, 'layers'>,
  layer: number,
  { position, evictAt }: Pick<QueryPlace, 'position' | 'evictAt'>,
): number {
  if (position < evictAt) return position + 1;
  const units = unitsOf(unitTokens, evictAt);
  const kept = Math.min(budget.count(parameters, layer, units, evictAt, layers) * unitTokens, evictAt);
  return kept + position + 1 - evictAt;
}

function evictOnce<Made extends Scores>(
  { scorer, budget, unit, positions, leader }: Parts<Made>,
  context: MethodContext,
  parameters: Parameters,
): MethodRun {
  const { ops, evictAt, memo } = context;
  const evicted = new Map<number, Evicted<Made>>();
  const used = new Map<number, Made>();
  let marked: ReadonlySet<number> = new Set();
  let followed: Followed | null = null;

  /** The layer's scores: those that were made, or from its input, which a free run has no more once the layer has had its turn. */
  function scoresOf(layer: number, input: LayerInput | null): Made {
    const unitTokens = unit.tokens(parameters, layer);
    const own = evicted.get(layer)?.scores;
    if (own) return own;
    if (!input) {
      throw new UserError(
        `Layer ${layer}, whose choice another layer takes over, is not in this capture; let every layer choose for itself.`,
      );
    }
    const name = scorer.name(parameters, layer);
    const make = (): Made =>
      poolUnits(ops, unitTokens, scorer.score(context, parameters, input, evictAt, followed));
    const scores =
      memo && name !== null ? memo.get(`evict/${name}/${unitTokens}/${layer}/${evictAt}`, make) : make();
    used.set(layer, scores);
    return scores;
  }

  /** Keys before the eviction that stay in a layer. */
  function keptOf(layer: number): number {
    const leading = leader?.(parameters, layer) ?? layer;
    const unitTokens = unit.tokens(parameters, leading);
    const place = { position: evictAt, evictAt };
    return keysAfterEviction(budget, unitTokens, parameters, context, leading, place) - 1;
  }

  function evict(layer: number, scores: Made, count: number): Evicted<Made> {
    const unitTokens = unit.tokens(parameters, layer);
    const kept = expandUnits(ops, unitTokens, budget.keep(ops, parameters, layer, scores, count), evictAt);
    const isRemembered = memo !== undefined && scorer.name(parameters, layer) !== null;
    const state = { ...kept, scores: isRemembered ? null : scores };
    evicted.set(layer, state);
    return state;
  }

  function release(layer: number): void {
    const state = evicted.get(layer);
    if (!state) return;
    ops.release(state.list.buffer, state.tied);
    state.scores?.release();
    evicted.delete(layer);
  }

  return {
    notices:
      evictAt > 0 ? windowNotices(scorer, parameters, context.layers, evictAt, keptOf) : [NOTHING_TO_EVICT],
    select(input) {
      const layer = leader?.(parameters, input.layer) ?? input.layer;
      const unitTokens = unit.tokens(parameters, layer);
      const units = unitsOf(unitTokens, evictAt);
      const count = budget.count(parameters, layer, units, evictAt, context.layers);
      if (input.block.start < evictAt || count >= units) {
        return keepEverything(Math.min(input.block.start, evictAt));
      }
      const scores = scoresOf(layer, layer === input.layer ? input : input.inLayer(layer));
      const { list, tied, tiedSets } = evicted.get(layer) ?? evict(layer, scores, count);
      const { score, secondary } = scores;
      const candidates = scorer.candidates?.(parameters, layer, evictAt, count) ?? { start: 0, end: evictAt };
      // Where nothing was a candidate no score decided.
      const decidedBy = candidates.end > candidates.start ? scorer.decidedBy : 'place';
      const wasCut = candidates.end > candidates.start && count > 0;
      return {
        list: count > 0 ? list : null,
        rangeStart: evictAt,
        candidates,
        score:
          unitTokens === 1
            ? { rows: score, ...(secondary ? { secondary } : {}), scoreStart: 0 }
            : { rows: score, scoreStart: 0, tokensPerScore: unitTokens },
        ...(scorer.firstStage
          ? { firstStage: scorer.firstStage(scores, parameters, layer, evictAt, count) }
          : {}),
        ...(scorer.segmentTokens ? { segmentTokens: scorer.segmentTokens(parameters, layer) } : {}),
        tiedAtCut: wasCut ? { buffer: tied, offset: 0, sets: tiedSets } : null,
        ...(decidedBy ? { decidedBy } : {}),
        owned: [],
      };
    },
    ...positions.attend(context, parameters),
    ...(scorer.follow
      ? {
          attended(input, _selection, logSumExp) {
            if (!logSumExp || input.block.end > evictAt) return;
            followed ??= scorer.follow!(context);
            followed.read(input, logSumExp);
          },
        }
      : {}),
    ...(scorer.lateNotices ? { lateNotices: () => scorer.lateNotices!([...used.values()]) } : {}),
    mark() {
      marked = new Set(evicted.keys());
      followed?.mark();
    },
    rewind() {
      for (const layer of [...evicted.keys()]) if (!marked.has(layer)) release(layer);
      followed?.rewind();
    },
    dispose() {
      followed?.release();
      for (const layer of [...evicted.keys()]) release(layer);
    },
  };
}
