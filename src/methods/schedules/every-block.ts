/** Every block decides anew which of the keys before it its queries see. */
import { equalBlocks, queriesHeld } from '../blocks';
import { type Parts, type Schedule, type Scores, setsOf } from '../compose';
import { defaultChunkTokens } from '../defaults';
import { keepEverything } from '../keep-everything';
import type { LayerInput, MethodContext, MethodRun, Selection } from '../method';
import type { Parameters } from '../parameters';
import { remembered } from '../remember';

/** Scores for consecutive queries that are each a block of one, in one pass. */
export interface ScoredEach<Made extends Scores> {
  /** [queries, sets] rows, −∞ from each query itself on. */
  scoreEach?(context: MethodContext, parameters: Parameters, input: LayerInput): Made;
}

export const everyBlock: Schedule = {
  decides: 'everyBlock',
  evicts: false,
  isNested: true,
  blocks: (_parameters, tokens, _evictAt, context) => equalBlocks(0, tokens, defaultChunkTokens(context)),
  start: decideAnew,
  cost({ scorer, budget }, parameters, context, layer, { position, block }) {
    const kept = budget.count(parameters, layer, block.start, context.tokens, context.layers);
    const isCut = kept < block.start;
    const { keyValueHeads, headDimension } = context;
    return {
      keptKeys: Math.min(kept, block.start) + position + 1 - block.start,
      selectionOperations: isCut
        ? scorer.operations(parameters, { ...context, tokens: position + 1 }, block.start, layer)
        : 0,
      readNumbers: 2 * keyValueHeads * headDimension * (position + 1),
    };
  },
  layersHeld: () => 1,
  // Blocks of one query are an answer's alone.
  queriesHeld: (sets, place) => queriesHeld(sets, place, place.largestBlock),
};

function decideAnew<Made extends Scores>(
  { scorer, budget, positions }: Parts<Made>,
  context: MethodContext,
  parameters: Parameters,
): MethodRun {
  const { ops, memo, totalTokens } = context;
  const { scoreEach } = scorer as ScoredEach<Made>;

  /** Selections of `queries` queries from scores [queries, sets]; the first sees `firstCandidates` keys, each later one one more. */
  function best(
    layer: number,
    { score, secondary }: Omit<Scores, 'buffers' | 'bytes' | 'release'>,
    firstCandidates: number,
    queries: number,
    count: number,
    owned: Selection['owned'],
  ): Selection[] {
    const sets = score.rows / queries;
    const { list, tied } = budget.keep(ops, parameters, layer, { score, secondary }, count);
    return Array.from({ length: queries }, (_, i): Selection => {
      const end = firstCandidates + i;
      const first = i * sets;
      return {
        list: count > 0 ? { ...list, offset: first * list.rowStride, sets } : null,
        rangeStart: end,
        candidates: { start: 0, end },
        score: {
          rows: { ...score, offset: score.offset + first * score.rowStride, rows: sets, length: end },
          scoreStart: 0,
        },
        tiedAtCut: count > 0 ? { buffer: tied, offset: first, sets } : null,
        owned: i === 0 ? [list.buffer, tied, ...owned] : [],
      };
    });
  }

  const countOf = ({ layer, block }: LayerInput): number =>
    budget.count(parameters, layer, block.start, totalTokens, context.layers);
  const keyOf = ({ layer, block }: LayerInput, suffix = ''): string | null => {
    const name = scorer.name(parameters, layer);
    return name && `${name}/${layer}/${block.start}/${block.end}${suffix}`;
  };

  return {
    select(input) {
      const { start } = input.block;
      const count = countOf(input);
      if (count >= start) return keepEverything(start);
      const make = () => scorer.score(context, parameters, input, start, null);
      const scores = remembered(memo, keyOf(input), make);
      return best(input.layer, scores.value, start, 1, count, scores.owned)[0]!;
    },
    ...(scoreEach
      ? {
          each: {
            scoresOfQuery: setsOf(scorer, context),
            select(input) {
              const { start, end } = input.block;
              const count = countOf(input);
              if (count >= start) return null;
              const make = () => scoreEach(context, parameters, input);
              const scores = remembered(memo, keyOf(input, '/each'), make);
              return best(input.layer, scores.value, start, end - start, count, scores.owned);
            },
          },
        }
      : {}),
    ...positions.attend(context, parameters),
    mark() {},
    rewind() {},
    dispose() {},
  };
}
