/** Which KV heads keep everything, and which only the ends of the text: by their scores. */
import type { NumberTable } from '../parameters';

/** By layer and KV head: true where the head streams. */
export type Roles = readonly (readonly boolean[])[];

/** The heads with the `count` lowest scores stream; of equal ones those of lower layers and heads. */
export function rolesOf(scores: NumberTable, count: number): Roles {
  const heads = scores.flatMap((row, layer) => row.map((score, head) => ({ score, layer, head })));
  // Sorting is stable.
  const streaming = new Set(
    [...heads]
      .sort((a, b) => a.score - b.score)
      .slice(0, count)
      .map(({ layer, head }) => `${layer}/${head}`),
  );
  return scores.map((row, layer) => row.map((_, head) => streaming.has(`${layer}/${head}`)));
}

/** Python's round: of two whole numbers that are as near, the even one. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below + (below % 2);
  return rest < 0.5 ? below : below + 1;
}
