/**
 * Seeded random numbers (mulberry32, a public-domain generator with 32 bits of state): the same seed gives the
 * same task everywhere, in Node, in the page and in the training recipe.
 */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform whole number in [0, limit). */
  below(limit: number): number;
  /** Uniform whole number in [low, high], both included. */
  between(low: number, high: number): number;
  pick<Item>(items: readonly Item[]): Item;
  /** A shuffled copy. */
  shuffled<Item>(items: readonly Item[]): Item[];
}

export function createRandom(seed: number): Random {
  // Neighbouring seeds would give correlated first values; one multiplicative hash separates them.
  let state = Math.imul(seed ^ 0x5bd1e995, 0x9e3779b1) >>> 0;

  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);

  return {
    next,
    below,
    between: (low, high) => low + below(high - low + 1),
    pick: (items) => items[below(items.length)]!,
    shuffled: (items) => {
      const copy = [...items];
      for (let last = copy.length - 1; last > 0; last--) {
        const other = below(last + 1);
        [copy[last], copy[other]] = [copy[other]!, copy[last]!];
      }
      return copy;
    },
  };
}
