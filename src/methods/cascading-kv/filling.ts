/**
 * How the sub-caches fill (cascading_cache.py, _update_kv_cache_inner). Which of them takes a token, and so how many tokens each holds,
 * follows from the token's number alone; scores decide only which of two goes on. So all heads hold as many, and what a token that
 * comes makes of the cache is known beforehand: at most one token is dropped, and it is either the oldest or one of two neighbours.
 *
 * In the order of the text a cache is its sinks, the last sub-cache, the one before, …, the first.
 */
import type { SubCache } from '../method';

export interface Shape {
  readonly sinkTokens: number;
  readonly cascadeTokens: number;
  /** Every how many tokens a sub-cache takes one, the first sub-cache first: 1, as it takes all. */
  readonly every: readonly number[];
  /** Whether all take everything until N·W tokens and the sinks have come. */
  readonly isEager: boolean;
}

export class Filling {
  readonly #shape: Shape;
  /** [tokens, 2]: the places, the last being that of the token that comes, of which the one with the least score is dropped. */
  readonly #drops: number[] = [];
  /** [tokens + 1, N]: tokens of each sub-cache after so many. */
  readonly #counts: (readonly number[])[];

  constructor(shape: Shape) {
    this.#shape = shape;
    this.#counts = [shape.every.map(() => 0)];
  }

  /** Tokens in each sub-cache after `tokens`, the first sub-cache first. */
  countsAfter(tokens: number): readonly number[] {
    this.#go(tokens);
    return this.#counts[tokens]!;
  }

  /** The same with every how many tokens each takes one. */
  subCachesAfter(tokens: number): SubCache[] {
    const { every } = this.#shape;
    return this.countsAfter(tokens).map((count, i) => ({ tokens: count, every: every[i]! }));
  }

  /** All that is held after `tokens`, sinks included. */
  heldAfter(tokens: number): number {
    const sinks = Math.min(tokens, this.#shape.sinkTokens);
    return this.countsAfter(tokens).reduce((sum, count) => sum + count, sinks);
  }

  /** [tokens, 2]: the places compared when each of so many tokens comes, as `Ops.cascade` takes them. */
  drops(tokens: number): Uint32Array {
    this.#go(tokens);
    return Uint32Array.from(this.#drops.slice(0, 2 * tokens));
  }

  #go(tokens: number): void {
    for (let token = this.#counts.length - 1; token < tokens; token++) {
      const counts = this.#counts[token]!;
      const { drops, fills } = this.#take(token, counts);
      this.#drops.push(...drops);
      // The same one while nothing changes, as for good once all are full.
      this.#counts.push(
        fills === null ? counts : counts.map((count, i) => (i === fills ? count + 1 : count)),
      );
    }
  }

  /** What token number `token` does: the places compared, and which sub-cache then holds one more. */
  #take(token: number, counts: readonly number[]): { drops: [number, number]; fills: number | null } {
    const { sinkTokens, cascadeTokens, every, isEager } = this.#shape;
    if (token < sinkTokens) return { drops: [0, 0], fills: null };
    const isFilling = isEager && token <= sinkTokens + every.length * cascadeTokens;
    for (const [i, turn] of every.entries()) {
      const isItsTurn = isFilling || (token - sinkTokens) % turn === 0;
      if (counts[i]! === 0 || (isItsTurn && counts[i]! < cascadeTokens)) return { drops: [0, 0], fills: i };
      if (isItsTurn) continue;
      // The oldest of the sub-cache before stands right behind the newest of this one.
      const place = counts.slice(i).reduce((sum, count) => sum + count, sinkTokens);
      return { drops: [place - 1, place + 1], fills: null };
    }
    return { drops: [sinkTokens, sinkTokens + 1], fills: null };
  }
}
