/** Methods side by side, before anything is measured: from traits and cost formulas, at their defaults for a text. */
import type { Method, StudyPlaces, Traits, Wants, WhatItDoes } from '../methods/method';
import { type ParameterContext, type Parameters, resolveParameters } from '../methods/parameters';
import { whatItDoes } from '../methods/what-methods-do';
import { measureCost } from './cost';

export interface MethodFacts {
  readonly id: string;
  readonly title: string;
  readonly does: WhatItDoes;
  /** Whether a key that was dropped stays dropped. */
  readonly evicts: boolean;
  /** What stays or goes together: so many consecutive tokens, or in a word what else; null: nothing goes. */
  readonly unit: number | string | null;
  /** Whom one set of kept keys is for; null: nothing goes. */
  readonly sets: Traits['sets'] | null;
  /** Where queries read less than all: those of the prompt, those after it, both; null: nowhere, or not with these defaults. */
  readonly phase: 'prefill' | 'decode' | 'both' | null;
  /** What a run asks to see beside queries, keys and values, a few words each. */
  readonly needs: readonly string[];
  /** Share of its keys that the text's last query sees, mean over layers. */
  readonly kept: number;
  /** That query's operations of scoring and attention, all layers; and as a share of full attention's. */
  readonly operations: number;
  readonly operationsShare: number;
  /** Operations of an eviction, made once for the text, all layers, whatever comes after. */
  readonly onceOperations: number;
  /** What that query reads from the caches, as a share of what full attention reads. */
  readonly readShare: number;
}

/**
 * What is to be said of a method at its defaults for a text, which has `tokens`; a task's may be fewer than defaults go by. Throws UserError where the defaults do not go with the text.
 */
export function factsOf(
  method: Method,
  asked: ParameterContext,
  places: StudyPlaces,
  tokens = asked.tokens,
): MethodFacts {
  const parameters = resolveParameters(method, {}, asked);
  const context = { ...asked, tokens };
  const traits = method.traits(parameters);
  // Where channels go, every KV head loses its own.
  const isPruned = traits.cache === 'pruned';
  const isChosen = traits.decides !== 'never' || traits.cache !== 'tokens';
  const cost = costAt(context.tokens - 1, method, parameters, context, places);
  const operations = cost.selectionOperations + cost.attentionOperations;
  return {
    id: method.id,
    title: method.title,
    does: whatItDoes(method, parameters),
    evicts: traits.evicts,
    unit: isPruned ? 'channel' : isChosen ? (traits.unit ?? 1) : null,
    sets: isPruned ? 'kvHead' : isChosen ? traits.sets : null,
    phase: phaseOf(method, parameters, context, places, cost.density),
    needs: needsOf(traits.wants),
    kept: cost.density,
    operations,
    operationsShare: operations / cost.fullAttentionOperations,
    onceOperations: cost.onceOperations,
    readShare: cost.decodeReadBytes / cost.decodeReadBytesFull,
  };
}

/** A query of the prompt is the last one before the eviction, one after it the text's last. */
function phaseOf(
  method: Method,
  parameters: Parameters,
  context: ParameterContext,
  places: StudyPlaces,
  lastDensity: number,
): MethodFacts['phase'] {
  const { cache } = method.traits(parameters);
  if (cache === 'transformed') return 'both';
  // No key is missing; those before the eviction are shorter from there on.
  if (cache === 'pruned') return 'decode';
  const before = places.evictAt - 1;
  const prefill = before >= 0 && costAt(before, method, parameters, context, places).density < 1;
  const decode = lastDensity < 1;
  if (prefill && decode) return 'both';
  if (prefill) return 'prefill';
  return decode ? 'decode' : null;
}

function costAt(
  query: number,
  method: Method,
  parameters: Parameters,
  context: ParameterContext,
  { evictAt, answerStart }: StudyPlaces,
): ReturnType<typeof measureCost> {
  const queries = { start: query, end: query + 1 };
  return measureCost({ method, parameters, context, queries, answerStart, evictAt, weightOperations: 0 });
}

function needsOf(wants: Wants): string[] {
  const queries = wants.queriesBefore ?? wants.recordedQueries ?? 0;
  const needs: string[] = [];
  if (queries === Number.POSITIVE_INFINITY) needs.push('all earlier queries');
  else if (queries > 0) needs.push(queries === 1 ? 'the last query' : `the last ${queries} queries`);
  if (wants.attended) needs.push('attention probabilities');
  if (wants.logSumExp) needs.push('full attention');
  if (wants.unrotated || wants.earlierUnrotated) needs.push('keys before rotation');
  if (wants.recorded && !wants.rereading) needs.push('the text read first');
  if (wants.prompt) needs.push('the whole prompt');
  if (wants.hidden) needs.push('hidden states');
  if (wants.outputWeight) needs.push('the output projection');
  if (wants.rereading) needs.push('the model, to read on');
  if (wants.secondMoments) needs.push('second moments of keys');
  return needs;
}
