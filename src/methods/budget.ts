/** What `keepFraction` means (docs/methods.md, "Budgets"), in double arithmetic. */
import type { Method } from './method';
import { numberIn, type Parameters, type ParameterValue } from './parameters';

/** ⌊f·T⌋ keys before each block: the oracle and sliding windows. */
export function keptOfText(parameters: Parameters, layer: number, totalTokens: number): number {
  return Math.floor(numberIn(parameters, 'keepFraction', layer) * totalTokens);
}

/**
 * ⌊f·S⌋ of the S tokens before the eviction: methods that evict once. kvpress's int(S·(1 − r)), scorer_press.py, with f = 1 − r
 * computed in doubles.
 */
export function keptAtEviction(parameters: Parameters, layer: number, evictAt: number): number {
  return Math.floor(numberIn(parameters, 'keepFraction', layer) * evictAt);
}

/** A fraction f up to 1 with ⌊f·all⌋ = count, where count/all may fall just below. 0 < all, 0 ≤ count ≤ all. */
export function fractionKeeping(count: number, all: number): number {
  const fraction = count / all;
  return Math.floor(fraction * all) === count ? fraction : (count + 0.5) / all;
}

/** Methods whose budget is `keepFraction` itself have no floor. */
export const withKeepFraction: Method['withBudget'] = (parameters, _context, keepFraction) => ({
  parameters: { ...parameters, keepFraction },
});

/** Methods that evict once have a budget where something stands before the eviction. */
export const evictOnceBudget: Method['withBudget'] = (parameters, context, keepFraction, places) =>
  places.evictAt > 0
    ? withKeepFraction(parameters, context, keepFraction, places)
    : { reason: NOTHING_TO_EVICT };

/** Why a method that evicts once drops nothing when the queries are the whole text. */
export const NOTHING_TO_EVICT =
  'Nothing stands before the queries, so there is nothing to evict; let the queries begin later.';

/**
 * Parameters of version 0.1.0 for this one. There `keepFraction` f of methods that evict once was a fraction of all T tokens, here
 * it is one of the S tokens before the eviction: min(1, f·T/S), moved by less than a key where rounding asks for it, so that
 * min(⌊f·T⌋, S) keys stay as they did. The same object where nothing changes: other methods, S = T, S = 0 (nothing is evicted).
 *
 * `text.tokens` is T, `text.evictAt` S, the first token of the study's queries.
 */
export function translateKeepFraction(
  method: Pick<Method, 'traits'>,
  parameters: Parameters,
  text: { readonly tokens: number; readonly evictAt: number },
): Parameters {
  const { keepFraction } = parameters;
  const { tokens, evictAt } = text;
  if (method.traits(parameters).decides !== 'once' || evictAt <= 0 || evictAt === tokens) return parameters;
  const translate = (fraction: number): number => {
    const kept = Math.min(evictAt, Math.floor(fraction * tokens));
    const scaled = Math.min(1, (fraction * tokens) / evictAt);
    return Math.floor(scaled * evictAt) === kept ? scaled : fractionKeeping(kept, evictAt);
  };
  const translated: ParameterValue = Array.isArray(keepFraction)
    ? keepFraction.map(translate)
    : translate(numberIn(parameters, 'keepFraction', 0));
  return { ...parameters, keepFraction: translated };
}
