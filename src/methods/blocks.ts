/** Blocks of queries that a text is read in. */
import type { MemoryPlace, Method, QueryBlock, ReadPlaces } from './method';
import type { ParameterContext, Parameters } from './parameters';

/** Most scores of one pass over consecutive queries with a block each (`EachQuery`): rows of scores × keys. */
export const MOST_SCORES_OF_PASS = 2 ** 20;

/** How many queries one pass takes that have so many rows of scores each. */
export function queriesOfPass(scoresOfQuery: number, tokens: number): number {
  return Math.max(1, Math.floor(MOST_SCORES_OF_PASS / Math.max(1, scoresOfQuery * tokens)));
}

/**
 * How many queries a run holds something of its own for at once, where one pass takes them that has so many rows of scores for each:
 * one in a free run. `most`: consecutive blocks of one query that there are; by default as many as tokens.
 */
export function queriesHeld(
  scoresOfQuery: number,
  { tokens, isFreeRun }: Pick<MemoryPlace, 'tokens' | 'isFreeRun'>,
  most = tokens,
): number {
  return isFreeRun ? 1 : Math.min(most, queriesOfPass(scoresOfQuery, tokens));
}

/** [start, end) in blocks of `size`, the last one shorter. */
export function equalBlocks(start: number, end: number, size: number): QueryBlock[] {
  const blocks: QueryBlock[] = [];
  for (let from = start; from < end; from += size)
    blocks.push({ start: from, end: Math.min(end, from + size) });
  return blocks;
}

/** [0, tokens) in blocks of `size`, counted anew from `cut`, so that a block begins there. */
export function blocksAround(cut: number, tokens: number, size: number): QueryBlock[] {
  const place = Math.min(Math.max(cut, 0), tokens);
  return [...equalBlocks(0, place, size), ...equalBlocks(place, tokens, size)];
}

/** The method's own blocks of the prompt: of the whole text where it has no answer. */
export function promptBlocks(
  method: Pick<Method, 'blocks'>,
  parameters: Parameters,
  places: ReadPlaces,
  context: ParameterContext,
): QueryBlock[] {
  const promptEnd = places.answerStart ?? places.tokens;
  return method.blocks(parameters, promptEnd, places.evictAt, { ...context, tokens: places.tokens });
}

/**
 * The blocks in which a text is studied, as a free run reads it: the prompt in the method's blocks, then every token of the
 * true answer in a block of its own.
 */
export function studyBlocks(
  method: Pick<Method, 'blocks'>,
  parameters: Parameters,
  places: ReadPlaces,
  context: ParameterContext,
): QueryBlock[] {
  const answerStart = places.answerStart ?? places.tokens;
  return [
    ...promptBlocks(method, parameters, places, context),
    ...equalBlocks(answerStart, places.tokens, 1),
  ];
}
