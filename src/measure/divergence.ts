/** How far a free run's next-token distributions are from full attention's. Everything in double precision. */
import type { FreeRunMeasurement } from '../study/types';

export type Divergence = Pick<
  FreeRunMeasurement,
  | 'divergenceNats'
  | 'top1Agreement'
  | 'lossFullNats'
  | 'lossNats'
  | 'lossDifferenceNats'
  | 'divergenceByToken'
>;

/**
 * KL(full ‖ selective) = Σ_v p(v)·ln(p(v)/p̂(v)) in nats and agreement of the most likely token (the lower index at a tie), over
 * rows of logits [n, V]; and the mean loss −ln p(next) over the rows that `nextTokens` has a next token for (its first n−1 or n).
 */
export function compareLogits(
  full: Float32Array,
  selective: Float32Array,
  vocabularySize: number,
  nextTokens: ArrayLike<number>,
): Divergence {
  const rows = full.length / vocabularySize;
  const divergenceByToken: number[] = [];
  let agreed = 0;
  let lossFull = 0;
  let loss = 0;
  const losses = Math.min(rows, nextTokens.length);
  for (let row = 0; row < rows; row++) {
    const p = full.subarray(row * vocabularySize, (row + 1) * vocabularySize);
    const q = selective.subarray(row * vocabularySize, (row + 1) * vocabularySize);
    const pNormalizer = logSumExp(p);
    const qNormalizer = logSumExp(q);
    let divergence = 0;
    for (let v = 0; v < vocabularySize; v++) {
      const logP = p[v] - pNormalizer;
      const logQ = q[v] - qNormalizer;
      if (logP > Number.NEGATIVE_INFINITY) divergence += Math.exp(logP) * (logP - logQ);
    }
    divergenceByToken.push(Math.max(0, divergence));
    if (largest(p) === largest(q)) agreed++;
    if (row < losses) {
      lossFull += pNormalizer - p[nextTokens[row]];
      loss += qNormalizer - q[nextTokens[row]];
    }
  }
  const mean = (sum: number, count: number): number => (count > 0 ? sum / count : 0);
  const lossFullNats = mean(lossFull, losses);
  const lossNats = mean(loss, losses);
  return {
    divergenceNats: mean(
      divergenceByToken.reduce((sum, value) => sum + value, 0),
      rows,
    ),
    top1Agreement: mean(agreed, rows),
    lossFullNats,
    lossNats,
    lossDifferenceNats: lossNats - lossFullNats,
    divergenceByToken,
  };
}

function logSumExp(values: Float32Array): number {
  const maximum = values[largest(values)];
  let sum = 0;
  for (const value of values) sum += Math.exp(value - maximum);
  return maximum + Math.log(sum);
}

function largest(values: Float32Array): number {
  let best = 0;
  for (let v = 1; v < values.length; v++) if (values[v] > values[best]) best = v;
  return best;
}
