/** Defaults that scale with the text, and parameters that several methods share (docs/methods.md). */
import type { FractionParameter, ParameterContext } from './parameters';

/** `wanted` within [least, most], the upper bound last; over 16 rounded down to a multiple of 16, and at least 1. */
function scaledCount(wanted: number, least: number, most: number): number {
  const count = Math.max(1, Math.floor(Math.min(Math.max(wanted, least), most)));
  return count > 16 ? count - (count % 16) : count;
}

/** Upper bound of a default: so many tokens, or a share of the trained length. */
type Most = number | { readonly times: number; readonly over: number };

/** The default T / `divisor`, at least `least` and at most `most`, with its rule in words. */
export function scaledDefault(divisor: number, least: number, most: Most) {
  const share =
    typeof most === 'number' ? String(most) : `${most.times === 1 ? '' : most.times}N/${most.over}`;
  return {
    default(context: ParameterContext): number {
      const bound = typeof most === 'number' ? most : (most.times * trainedOr(context)) / most.over;
      return scaledCount(context.tokens / divisor, least, bound);
    },
    defaultRule: `T/${divisor}, within ${least} … ${share}`,
  };
}

/** The longest context the model was trained on; the text's own length where a capture does not say. */
function trainedOr(context: ParameterContext): number {
  return context.trainedTokens ?? context.tokens;
}

/** Largest count one may enter: beyond the text nothing changes, and the papers' values are always allowed. */
export function mostTokens(context: ParameterContext): number {
  return Math.max(context.tokens, context.trainedTokens ?? 0, 4096);
}

/** Tokens that are read at a time where the method does not say otherwise. */
export const chunkTokensDefault = scaledDefault(8, 32, { times: 1, over: 4 });
export const defaultChunkTokens = chunkTokensDefault.default;

export const keepFraction: FractionParameter = {
  kind: 'fraction',
  label: 'Kept fraction',
  symbol: 'f',
  help: 'Keys that stay, as a fraction of the tokens before the eviction. kvpress gives the fraction removed and calls it compression_ratio.',
  minimum: 0,
  maximum: 1,
  unit: '%',
  default: () => 0.25,
};
