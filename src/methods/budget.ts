/** What `keepFraction` means (docs/methods.md, "Budgets"). */
import type { Method } from './method';
import { numberIn, type Parameters } from './parameters';

/** ⌊f·T⌋ keys, in double arithmetic. */
export function keptOfText(parameters: Parameters, layer: number, totalTokens: number): number {
  return Math.floor(numberIn(parameters, 'keepFraction', layer) * totalTokens);
}

/** Methods whose budget is `keepFraction` itself have no floor. */
export const withKeepFraction: Method['withBudget'] = (parameters, _context, keepFraction) => ({
  parameters: { ...parameters, keepFraction },
});

/** Methods that evict once have a budget where something stands before the eviction. */
export const evictOnceBudget: Method['withBudget'] = (parameters, context, keepFraction, evictAt) =>
  evictAt > 0 ? withKeepFraction(parameters, context, keepFraction, evictAt) : { reason: NOTHING_TO_EVICT };

/** Why a method that evicts once drops nothing when the queries are the whole text. */
export const NOTHING_TO_EVICT =
  'Nothing stands before the queries, so there is nothing to evict; let the queries begin later.';
