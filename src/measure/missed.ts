/**
 * When a dropped key counts as missed (docs/measurements.md, "What the page marks"): it has at least 1 % of what the query gives to
 * keys other than tokens 0 to 3. Those four, which many heads use as a sink whatever they say, are left out for every method
 * alike, and are missed themselves when they had at least 1 % of the whole.
 */

/** The tokens that are left out of a query's weight: the first four of the text. */
export const FIRST_TOKENS = 4;
const MISSED_SHARE = 0.01;

/** The weight from which on a dropped one of the first tokens is missed. */
export const MISSED_FIRST = MISSED_SHARE;

/**
 * The weight from which on any other dropped key is missed, for a query that gives `firstWeight`, 0 … 1, to the first tokens.
 * Infinity: it gives less than 1 % to all the others together, so none of them is.
 */
export function missedFrom(firstWeight: number): number {
  const others = 1 - firstWeight;
  return others >= MISSED_SHARE ? MISSED_SHARE * others : Number.POSITIVE_INFINITY;
}

/** What a query, whose weights are given by token, gives to the first tokens. */
export function firstWeightOf(weights: ArrayLike<number>): number {
  let sum = 0;
  for (let token = 0; token < Math.min(FIRST_TOKENS, weights.length); token++) sum += weights[token]!;
  return sum;
}

/** Whether a key of this weight is missed when it is dropped. */
export function isHeavy(token: number, weight: number, firstWeight: number): boolean {
  return weight >= (token < FIRST_TOKENS ? MISSED_FIRST : missedFrom(firstWeight));
}
