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
