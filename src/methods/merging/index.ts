/**
 * Merge on evict (kvpress merging_press.py): keys are dropped once, by another method's scores, and the value of each goes into that of
 * the survivor whose key is most like its own, weighed by their cosine.
 */
import { uniformAtLeastOne } from '../budgets/uniform';
import { compose, type Scorer, token } from '../compose';
import { keepFraction } from '../defaults';
import { lagRanks } from '../lagkv/kvpress';
import type { Method } from '../method';
import { numberIn, type Parameters } from '../parameters';
import { inText } from '../positions';
import { once } from '../schedules/once';
import { observationWindow } from '../scorers/observation-window';
import { baseOf, checkBase, snapkvAndLagkvParameters, snapkvOrLagkv } from '../scorers/snapkv-or-lagkv';
import { ROWS_AT_ONCE, startMerging } from './run';

const scorers: Record<ReturnType<typeof baseOf>, Scorer> = {
  snapkv: observationWindow,
  lagkv: lagRanks as Scorer,
};
const scorerOf = (parameters: Parameters): Scorer => scorers[baseOf(parameters)];

const composedOf = (parameters: Parameters) =>
  compose({
    ...{ scorer: scorerOf(parameters), budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  });

const keptIn = (parameters: Parameters, layer: number, tokens: number): number =>
  Math.min(tokens, uniformAtLeastOne.count(parameters, layer, tokens, tokens, 1));

export const merging: Method = {
  id: 'merging',
  title: 'Merging',
  summary:
    'Drops keys by another method’s scores and folds the value of each into that of the survivor with the most similar key.',
  citation: {
    authors: 'NVIDIA, kvpress',
    year: 2026,
    url: 'https://github.com/NVIDIA/kvpress',
  },
  presets: {
    kvpress: {
      parameters: {
        mergeFraction: 1,
        similarity: 0,
        windowTokens: 64,
        poolKernel: 5,
        sinkTokens: 4,
        lagTokens: 128,
      },
      evictAfter: 'context',
    },
  },
  parameters: {
    base: snapkvOrLagkv('By whose scores keys stay.'),
    keepFraction,
    mergeFraction: {
      kind: 'fraction',
      label: 'Merged',
      help: 'Of the dropped tokens those with the most similar survivors whose values are folded in; the others are lost. kvpress calls it merge_fraction.',
      minimum: 0.01,
      maximum: 1,
      unit: '%',
      default: () => 1,
    },
    similarity: {
      kind: 'fraction',
      label: 'Least similarity',
      help: 'Cosine of two keys from which on a value is folded in. kvpress calls it similarity_threshold.',
      minimum: 0,
      maximum: 1,
      unit: '',
      default: () => 0,
    },
    ...snapkvAndLagkvParameters,
  },
  notes: () => [
    'Keys stay as they were, rotary positions applied, so that similarity is of keys at their places. Values are folded from the text as full attention read it, which is what a run reads as well up to the eviction.',
  ],
  validate: (parameters, context) => checkBase('merging', parameters, context),
  traits(parameters) {
    const { wants, ...traits } = composedOf(parameters).traits(parameters);
    const recordedQueries = wants.queriesBefore ?? 0;
    return { ...traits, cache: 'made', wants: { recorded: true, recordedQueries } };
  },
  blocks: (parameters, ...place) => composedOf(parameters).blocks(parameters, ...place),
  start(context, parameters) {
    const isCut = (layer: number): boolean => keptIn(parameters, layer, context.evictAt) < context.evictAt;
    const ruleOf = (layer: number) => ({
      similarity: numberIn(parameters, 'similarity', layer),
      mergeFraction: numberIn(parameters, 'mergeFraction', layer),
    });
    const nameOf = (layer: number): string => {
      const { similarity, mergeFraction } = ruleOf(layer);
      const kept = keptIn(parameters, layer, context.evictAt);
      return `${scorerOf(parameters).name(parameters, layer)}/${kept}/${similarity}/${mergeFraction}`;
    };
    const choosing = composedOf(parameters).start(context, parameters);
    return startMerging(context, choosing, { nameOf, ruleOf, isCut });
  },
  cost: (parameters, ...place) => composedOf(parameters).cost(parameters, ...place),
  onceOperations(parameters, context, layer, places) {
    const { keyValueHeads: G, headDimension: d } = context;
    const { evictAt } = places;
    const kept = keptIn(parameters, layer, evictAt);
    if (kept >= evictAt) return 0;
    // Directions of keys and lengths of values; cosines with all survivors, compared; what is folded in.
    const folding = G * (5 * d * evictAt + (evictAt - kept) * (kept * (2 * d + 1) + 2 * d));
    return composedOf(parameters).onceOperations(parameters, context, layer, places) + folding;
  },
  memory(parameters, place) {
    const { layers, tokens, queryHeads: H, keyValueHeads: G, headDimension: d, largestBlock } = place;
    const kept = Math.max(...Array.from({ length: layers }, (_, layer) => keptIn(parameters, layer, tokens)));
    return [
      // Of queries none are kept: they are those of the text that was read.
      ...composedOf(parameters)
        .memory(parameters, place)
        .filter(({ label }) => label !== 'earlier queries'),
      { label: 'merged values', elements: G * kept * d, count: layers },
      { label: 'keys that stay', elements: G * kept * d, count: 1 },
      { label: 'directions of keys and values', elements: G * d * tokens, count: 3 },
      { label: 'nearest survivors', elements: 2 * G * tokens, count: 1 },
      { label: 'cosines with all survivors', elements: ROWS_AT_ONCE * kept, count: 1 },
      { label: 'output over later keys', elements: largestBlock * H * (d + 1), count: 1 },
    ];
  },
  withBudget: uniformAtLeastOne.withBudget,
};
