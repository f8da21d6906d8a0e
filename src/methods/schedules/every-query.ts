/**
 * What stands before the queries is read with full attention; then every query decides anew which of all tokens up to its own it
 * sees. It has no token for certain, its own included, unless the scorer says so.
 */
import { equalBlocks } from '../blocks';
import type { Parts, Schedule, Scores } from '../compose';
import { defaultChunkTokens } from '../defaults';
import { costOfEverything, keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, MethodRun } from '../method';
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
};

function decideByQuery<Made extends Scores>(
  { scorer, budget, unit, positions }: Parts<Made>,
  context: MethodContext,
  parameters: Parameters,
): MethodRun {
  const { ops, memo, evictAt, totalTokens } = context;
  const first = firstChoosing(evictAt, totalTokens);
  return {
    select(input: LayerInput) {
      const { layer, block } = input;
      const { start, end } = block;
      const unitTokens = unit.tokens(parameters, layer);
      const units = unitsOf(unitTokens, end);
      const count = budget.count(parameters, layer, units, end, context.layers);
      if (start < first || start === end || count >= units) return keepEverything(start);
      const make = () => scorer.score(context, parameters, input, end, null);
      const name = scorer.name(parameters, layer);
      const scores = remembered(memo, name && `${name}/${layer}/${start}`, make);
      const { score } = scores.value;
      const candidates = scorer.candidates?.(parameters, layer, end, count) ?? { start: 0, end };
      const isChosen = candidates.end > candidates.start;
      const best = budget.keep(ops, parameters, layer, scores.value, count);
      const { list, tied, tiedSets } = expandUnits(ops, unitTokens, best, end);
      return {
        list,
        rangeStart: end,
        candidates,
        score: { rows: score, scoreStart: 0, ...(unitTokens === 1 ? {} : { tokensPerScore: unitTokens }) },
        tiedAtCut: isChosen ? { buffer: tied, offset: 0, sets: tiedSets } : null,
        ...(isChosen ? {} : { decidedBy: 'place' as const }),
        owned: [list.buffer, tied, ...scores.owned],
      };
    },
    ...positions.attend(context, parameters),
    mark() {},
    rewind() {},
    dispose() {},
  };
}
