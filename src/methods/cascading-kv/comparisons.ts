/** Which keys a cache drops as it takes tokens in, and whom each lost to: `Ops.cascade` again, off the device, for *why*. */
import type { Comparison } from '../method';

interface Taken {
  /** What is held, ascending, and the scores of these and of the tokens that come. */
  readonly held: ArrayLike<number>;
  readonly scores: ArrayLike<number>;
  readonly firstToken: number;
  /** Two places for each token that comes, as `Ops.cascade` takes them. */
  readonly drops: ArrayLike<number>;
}

export function comparisonsOf({ held, scores, firstToken, drops }: Taken): Comparison[] {
  const cache = Array.from(held, (token, i) => ({ token, score: scores[i]! }));
  const found: Comparison[] = [];
  for (let i = 0; i < scores.length - held.length; i++) {
    cache.push({ token: firstToken + i, score: scores[held.length + i]! });
    const start = drops[2 * i]!;
    const compared = cache.slice(start, drops[2 * i + 1]!);
    if (compared.length === 0) continue;
    // Of equals the first.
    const least = compared.reduce((best, each) => (each.score < best.score ? each : best));
    const other = compared.find((each) => each !== least);
    found.push({ dropped: least.token, stayed: other?.token ?? null });
    cache.splice(start + compared.indexOf(least), 1);
  }
  return found;
}
