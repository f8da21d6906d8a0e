/**
 * MInference 1.0 (arXiv 2407.02490): while the prompt is read every query head sees a pattern of keys, found at once for the whole
 * prompt; what follows reads everything (microsoft/MInference, minference_forward.py: minference_prefill_kernel).
 */
import { equalBlocks, queriesHeld } from '../blocks';
import { costOfEverything } from '../keep-everything';
import type { Method } from '../method';
import { choiceOf, numberIn } from '../parameters';
import { blockOperations } from './block-scores';
import { lastQueryOperations } from './last-queries';
import { blocksOf } from './patterns';
import { QUERIES_AT_ONCE, startMInference } from './run';
import {
  candidatesIn,
  checkCandidates,
  fewestKeys,
  isSearched,
  minferenceParameters,
  mostKeysIn,
  patternIn,
  withKeys,
} from './schema';

export const minference: Method = {
  id: 'minference',
  title: 'MInference',
  summary:
    'Every query head reads the prompt by one of three patterns: both ends, columns and diagonals, or blocks.',
  citation: {
    authors: 'Jiang, Li, Zhang, Wu, Luo, Ahn, Han, Abdi, Li, Lin, Yang, Qiu',
    year: 2024,
    url: 'https://arxiv.org/abs/2407.02490',
  },
  presets: { paper: { from: 'paper' } },
  parameters: minferenceParameters,
  notes: (parameters) => [
    'Reads less of the prompt only: its numbers are of the prompt’s queries, and its answer is decoded densely.',
    ...(isSearched(parameters)
      ? [
          'The search is over this text, by the attention that stays; the paper fixes patterns once for a model, on another text. Heads run what won, where the code stores A-shapes and blocks as columns and diagonals.',
        ]
      : []),
  ],
  validate: checkCandidates,
  traits: (parameters) => ({
    ...{ decides: 'everyBlock', evicts: false, isNested: false, approximates: false, isPrefillOnly: true },
    ...{ sets: 'queryHead', cache: 'tokens', positions: 'model' },
    unit: choiceOf(parameters, 'pattern') === 'block-sparse' ? numberIn(parameters, 'blockTokens', 0) : 1,
    wants: { prompt: true, ...(isSearched(parameters) && { recorded: true }) },
  }),
  blocks: (_parameters, tokens) => equalBlocks(0, tokens, 1),
  start: startMInference,
  /** Columns and diagonals may meet, so it is at most so many keys; choosing is once for the prompt, and the search not counted. */
  cost(parameters, context, layer, query) {
    const { position, promptEnd } = query;
    if (position >= promptEnd) return costOfEverything(parameters, context, layer, query);
    const { queryHeads, keyValueHeads, headDimension } = context;
    const keptKeys = mostKeysIn(parameters, layer, promptEnd, position);
    const looks = lastQueryOperations(numberIn(parameters, 'lastQueries', layer), context, promptEnd);
    const blocks = (length: number): number => blockOperations(length, context, promptEnd);
    const patterns = isSearched(parameters)
      ? candidatesIn(parameters, layer, promptEnd)
      : [patternIn(parameters, layer)];
    // Of heads that differ the dearest: which pattern each gets is not known before.
    const choosing = patterns.map((pattern) => {
      if (pattern.kind === 'a-shape') return 0;
      return pattern.kind === 'vertical-slash' ? looks : blocks(pattern.blockTokens);
    });
    const read = Math.min((queryHeads / keyValueHeads) * keptKeys, position + 1);
    return {
      keptKeys,
      selectionOperations: Math.max(...choosing) / promptEnd,
      readNumbers: 2 * keyValueHeads * headDimension * read,
    };
  },
  memory(parameters, place) {
    const { queryHeads, keyValueHeads, headDimension, tokens, layers } = place;
    const blockTokens = Math.min(...([parameters.blockTokens].flat() as number[]));
    const blocks = blocksOf(blockTokens, tokens);
    const keys = Math.max(
      ...Array.from({ length: layers }, (_, layer) => mostKeysIn(parameters, layer, tokens, tokens - 1)),
    );
    const looking = Math.min(tokens, Math.max(...([parameters.lastQueries].flat() as number[])));
    return [
      // Scores of columns and diagonals, and lists of each layer.
      { label: 'scores', elements: 2 * queryHeads * tokens, count: layers },
      {
        label: 'lists of a pattern',
        elements: queryHeads * (2 * keys + blocks * (blocks + 1)),
        count: layers,
      },
      {
        label: 'weights of the last queries',
        elements: queryHeads * looking * (tokens + headDimension),
        count: 1,
      },
      { label: 'means of blocks', elements: (queryHeads + keyValueHeads) * blocks * headDimension, count: 1 },
      { label: 'scores of blocks', elements: queryHeads * blocks * blocks, count: 1 },
      // What was made ahead and what follows it, or what one pass shows.
      {
        label: 'keys of patterns',
        elements: queryHeads * Math.max(2 * QUERIES_AT_ONCE, queriesHeld(1, place)) * (keys + 1),
        count: 1,
      },
    ];
  },
  withBudget(parameters, { tokens }, keepFraction) {
    const fitted = withKeys(parameters, Math.floor(keepFraction * tokens), tokens);
    return fitted
      ? { parameters: fitted }
      : { floor: Math.min(1, fewestKeys(parameters) / Math.max(1, tokens)) };
  },
};
