/**
 * What stands before the queries is read with full attention; then every query decides anew which of all tokens up to its own it
 * sees. It has no token for certain, its own included, unless the scorer says so.
 */

import type { DeviceBuffer } from '../../../gpu/rows';
import { equalBlocks, queriesHeld } from '../blocks';
import { type Parts, type Schedule, type Scores, setsOf } from '../compose';
import { defaultChunkTokens } from '../defaults';
import { costOfEverything, keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, MethodRun, Selection } from '../method';
import type { Parameters } from '../parameters';
import { remembered } from '../remember';
import { expandUnits, unitsOf } from '../units';

/** The first query that decides: the last token of a text does in any case. */
const firstChoosing = (evictAt: number, tokens: number): number => Math.max(0, Math.min(evictAt, tokens - 1));

export const everyQuery: Schedule = {
  decides: 'everyBlock',
  evicts: false,
  isNested: false,
  isDenseBefore: true,
  blocks(_parameters, tokens, evictAt, context) {
    const first = Math.min(tokens, firstChoosing(evictAt, context.tokens));
    return [...equalBlocks(0, first, defaultChunkTokens(context)), ...equalBlocks(first, tokens, 1)];
  },
  start: decideByQuery,
  cost({ scorer, budget, unit }, parameters, context, layer, query) {
    const { position, evictAt } = query;
    const { keyValueHeads, queryHeads, headDimension } = context;
    const tokens = position + 1;
    const unitTokens = unit.tokens(parameters, layer);
    const units = unitsOf(unitTokens, tokens);
    const count = budget.count(parameters, layer, units, tokens, context.layers);
    if (position < firstChoosing(evictAt, context.tokens) || count >= units) {
      return costOfEverything(parameters, context, layer, query);
    }
    const keptKeys = Math.min(count * unitTokens, tokens);
    // Heads that share a KV head may choose the same keys, which are read once: at most all of them are.
    const sharing = scorer.sets === 'queryHead' ? queryHeads / keyValueHeads : 1;
    const read = 2 * keyValueHeads * headDimension * Math.min(sharing * keptKeys, tokens);
    return {
      keptKeys,
      selectionOperations: scorer.operations(parameters, context, tokens, layer),
      readNumbers: read + (scorer.reads?.(parameters, context, tokens, layer) ?? 0),
    };
  },
  layersHeld: () => 1,
  queriesHeld,
};

function decideByQuery<Made extends Scores>(
  parts: Parts<Made>,
  context: MethodContext,
  parameters: Parameters,
): MethodRun {
  const { scorer, budget, unit, positions } = parts;
  const { ops, memo, evictAt, totalTokens } = context;
  const first = firstChoosing(evictAt, totalTokens);
  /** Why a block of queries sees everything. */
  const becauseOf = (layer: number, start: number) =>
    budget.isDense?.(parameters, layer) ? 'dense-layer' : start < first ? 'dense-before' : undefined;
  /** Units that a query at the end of so many tokens keeps; null: it sees everything. */
  const countOf = (layer: number, tokens: number): number | null => {
    const units = unitsOf(unit.tokens(parameters, layer), tokens);
    const count = budget.count(parameters, layer, units, tokens, context.layers);
    return count < units ? count : null;
  };
  /** The choices of so many queries, whose scores have as many rows each. */
  const chosen = (
    { layer, block: { end } }: LayerInput,
    scores: { readonly value: Made; readonly owned: readonly DeviceBuffer[] },
    count: number,
    queries: number,
  ): Selection[] => {
    const unitTokens = unit.tokens(parameters, layer);
    const { score } = scores.value;
    const best = budget.keep(ops, parameters, layer, scores.value, count);
    const { list, tied, tiedSets } = expandUnits(ops, unitTokens, best, end, queries);
    const [sets, rows, ties] = [list.sets / queries, score.rows / queries, tiedSets / queries];
    return Array.from({ length: queries }, (_, query): Selection => {
      const tokens = end - queries + query + 1;
      const candidates = scorer.candidates?.(parameters, layer, tokens, count) ?? { start: 0, end: tokens };
      const isChosen = candidates.end > candidates.start;
      return {
        list: {
          ...{ ...list, sets, offset: list.offset + query * sets * list.rowStride },
          ...(list.countsOffset === undefined ? {} : { countsOffset: list.countsOffset + query * sets }),
        },
        rangeStart: tokens,
        candidates,
        score: {
          rows: {
            ...{ ...score, rows, offset: score.offset + query * rows * score.rowStride },
            length: unitsOf(unitTokens, tokens),
          },
          scoreStart: 0,
          ...(unitTokens === 1 ? {} : { tokensPerScore: unitTokens }),
        },
        tiedAtCut: isChosen ? { buffer: tied, offset: query * ties, sets: ties } : null,
        ...(isChosen ? {} : { decidedBy: 'place' as const }),
        owned: query === 0 ? [list.buffer, tied, ...scores.owned] : [],
      };
    });
  };
  const scoresOf = (input: LayerInput) => {
    const { layer, block } = input;
    const name = scorer.name(parameters, layer);
    return remembered(memo, name && `${name}/${layer}/${block.start}/${block.end}`, () =>
      scorer.score(context, parameters, input, block.end, null),
    );
  };
  return {
    select(input: LayerInput) {
      const { start, end } = input.block;
      const count = start < first || start === end ? null : countOf(input.layer, end);
      if (count === null) return keepEverything(start, becauseOf(input.layer, start));
      return chosen(input, scoresOf(input), count, 1)[0]!;
    },
    each: {
      scoresOfQuery: setsOf(scorer, context),
      select(input) {
        const { start, end } = input.block;
        const count = start < first ? null : countOf(input.layer, start + 1);
        // Who keeps as much of the first query's tokens and of the last one's does so in between.
        if (count === null || countOf(input.layer, end) !== count) return null;
        return chosen(input, scoresOf(input), count, end - start);
      },
    },
    ...positions.attend(context, parameters),
    mark() {},
    rewind() {},
    dispose() {},
  };
}
