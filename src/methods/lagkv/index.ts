/**
 * LagKV (arXiv 2504.04704): a token is kept if its key and value are unusually spread, measured against the range of the next
 * partition of tokens. Looks at no query; every KV head decides alone.
 */
import { equalBlocks, studyBlocks } from '../blocks';
import { fractionKeeping } from '../budget';
import { uniformAtEviction } from '../budgets/uniform';
import { compose, composeBy, keptLists, token } from '../compose';
import { defaultChunkTokens } from '../defaults';
import type { FittedBudget, Method, StudyPlaces } from '../method';
import { numberIn, type ParameterContext, type Parameters } from '../parameters';
import { positionsByChoice } from '../positions';
import { once } from '../schedules/once';
import { lagRanks, scoringOperations } from './kvpress';
import { startOfficial } from './official';
import { compressedPartitions, denseEnd, lagBlocks, storedKeys } from './partitions';
import { checkSpread, isMonolithic, isOfficial, type Lag, lagIn, lagkvParameters } from './schema';

const kvpress = compose({
  ...{ scorer: lagRanks, budget: uniformAtEviction, unit: token, schedule: once },
  positions: positionsByChoice,
});

/** As its authors run it: compression follows the reading. */
export const lagkvOfficial: typeof kvpress = {
  traits: (parameters) => ({
    ...{ decides: 'whileReading', evicts: true, isNested: false, approximates: false },
    ...{ sets: 'kvHead', cache: 'tokens', positions: positionsByChoice.of(parameters), wants: {} },
  }),
  memory: (parameters, place) => [
    ...keptLists(place, place.layers),
    ...positionsByChoice.memory(parameters, place),
  ],
  blocks(parameters, tokens, evictAt, context) {
    const chunks = lagBlocks(tokens, shortestLengths(parameters, context));
    if (!isMonolithic(parameters)) return chunks;
    const dense = denseEnd(context.tokens, tokens, evictAt);
    return [
      ...equalBlocks(0, dense, defaultChunkTokens(context)),
      ...chunks
        .filter(({ end }) => end > dense)
        .map(({ start, end }) => ({ start: Math.max(start, dense), end })),
    ];
  },
  start: startOfficial,
  cost(parameters, context, layer, query) {
    const lag = lagIn(parameters, layer);
    const { position, block, promptEnd, evictAt } = query;
    const dense = isMonolithic(parameters) ? denseEnd(context.tokens, promptEnd, evictAt) : 0;
    const partitions = block.start < dense ? 0 : compressedPartitions(block.start, lag);
    const stored = partitions > 0 ? storedKeys(block.start, lag) : block.start;
    const keptKeys = stored + position + 1 - block.start;
    return {
      keptKeys,
      // Every token is scored once, some L tokens after it was read.
      selectionOperations: partitions > 0 ? scoringOperations(context) : 0,
      readNumbers: 2 * context.keyValueHeads * context.headDimension * keptKeys,
    };
  },
  /** What a monolithic prefill has read, once it is read. */
  onceOperations(parameters, context, layer, { promptEnd, evictAt }) {
    if (!isMonolithic(parameters)) return 0;
    const lag = lagIn(parameters, layer);
    const partitions = compressedPartitions(denseEnd(context.tokens, promptEnd, evictAt), lag);
    return partitions * lag.lagTokens * scoringOperations(context);
  },
  withBudget(parameters, context, keepFraction, places) {
    return officialBudget(parameters, context, Math.floor(keepFraction * context.tokens), places);
  },
};

export const lagkv: Method = {
  id: 'lagkv',
  title: 'LagKV',
  summary:
    'Keeps keys that are unusually spread against the range of the tokens that follow; looks at no query.',
  citation: { authors: 'Liang, Zhang, Li, Li', year: 2025, url: 'https://arxiv.org/abs/2504.04704' },
  presets: {
    paper: { from: 'paper' },
    kvpress: { parameters: { variant: 'kvpress', sinkTokens: 4, lagTokens: 128 }, evictAfter: 'context' },
  },
  parameters: lagkvParameters,
  notes: (parameters) =>
    isOfficial(parameters)
      ? [
          'Sinks, the last lag and the remainder are kept on top of the fraction.',
          ...(isMonolithic(parameters)
            ? [
                'The prompt is read with full attention and compressed once; a text without an answer is read so up to the queries.',
              ]
            : []),
        ]
      : ['The budget includes sinks and the unscored end; a small one may drop even those.'],
  validate: (_parameters, context) => checkSpread('lagkv', context),
  ...composeBy((parameters) => (isOfficial(parameters) ? lagkvOfficial : kvpress)),
};

/** Layers may differ in their lengths; all read the same blocks, and compress when they have read enough. */
function shortestLengths(
  parameters: Parameters,
  context: ParameterContext,
): Pick<Lag, 'sinkTokens' | 'lagTokens'> {
  const shortest = (name: string): number =>
    Math.min(...Array.from({ length: context.layers }, (_, layer) => numberIn(parameters, name, layer)));
  return { sinkTokens: shortest('sinkTokens'), lagTokens: shortest('lagTokens') };
}

/**
 * The largest fraction with which no block of the study finds more than `budget` earlier keys, layer by layer: blocks of the
 * prompt, and the answer's tokens, which begin between chunks, where up to L − 1 keys more are stored than at their bounds.
 */
function officialBudget(
  parameters: Parameters,
  context: ParameterContext,
  budget: number,
  places: StudyPlaces,
): FittedBudget {
  const { tokens } = context;
  const dense = isMonolithic(parameters) ? denseEnd(tokens, places.answerStart ?? tokens, places.evictAt) : 0;
  // What a monolithic prefill reads has no budget: it sees everything. The token after its end finds what was compressed there.
  const starts = studyBlocks(lagkv, parameters, { ...places, tokens }, context)
    .map(({ start }) => start)
    .filter((start) => start >= dense);
  let floor = 0;
  const fractions = Array.from({ length: context.layers }, (_, layer) => {
    const lag = lagIn(parameters, layer);
    let kept = lag.lagTokens;
    for (const start of starts) {
      floor = Math.max(floor, storedKeys(start, { ...lag, keptOfPartition: 0 }));
      const partitions = compressedPartitions(start, lag);
      if (partitions > 0) kept = Math.min(kept, lag.lagTokens + Math.floor((budget - start) / partitions));
    }
    return fractionKeeping(Math.max(0, kept), lag.lagTokens);
  });
  if (floor > budget) return { floor: floor / tokens };
  const isUniform = fractions.every((fraction) => fraction === fractions[0]);
  return { parameters: { ...parameters, keepFraction: (isUniform ? fractions[0] : fractions)! } };
}
