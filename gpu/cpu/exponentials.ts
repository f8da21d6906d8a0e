/** Exponentials of score rows. */

/** The largest of scores [start, start + count); −∞ without any. */
export function largest(scores: Float64Array, start: number, count: number): number {
  let maximum = Number.NEGATIVE_INFINITY;
  for (let t = start; t < start + count; t++) if (scores[t]! > maximum) maximum = scores[t]!;
  return maximum;
}

/** Replaces scores s of [start, start + count) by c·tanh(s/c); without a cap c they stay. */
export function capScores(scores: Float64Array, start: number, count: number, cap: number | undefined): void {
  if (cap === undefined) return;
  for (let t = start; t < start + count; t++) scores[t] = cap * Math.tanh(scores[t]! / cap);
}

/** Replaces scores [start, start + count) by exp(score − shift) and returns their sum. */
export function exponentiate(scores: Float64Array, start: number, count: number, shift: number): number {
  let sum = 0;
  for (let t = start; t < start + count; t++) {
    const weight = Math.exp(scores[t]! - shift);
    scores[t] = weight;
    sum += weight;
  }
  return sum;
}
