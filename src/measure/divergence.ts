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
 * KL(full ‖ selective) = Σ_v p(v)·ln(p(v)/p̂(v)) in nats, agreement of the most likely token (the lower index at a tie), and the
 * mean loss −ln p(next) over the rows that have a next token; added up over rows of logits that come in any number of pieces.
 */
export class DivergenceSums {
  private readonly vocabularySize: number;
  private readonly divergenceByToken: number[] = [];
  private agreed = 0;
  private losses = 0;
  private lossFull = 0;
  private loss = 0;

  constructor(vocabularySize: number) {
    this.vocabularySize = vocabularySize;
  }

  /** Adds rows of logits [n, V]; the first rows have the next tokens that are given. */
  add(full: Float32Array, selective: Float32Array, nextTokens: ArrayLike<number>): void {
    const { vocabularySize } = this;
    const rows = full.length / vocabularySize;
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
      this.divergenceByToken.push(Math.max(0, divergence));
      if (largest(p) === largest(q)) this.agreed++;
      if (row >= nextTokens.length) continue;
      this.losses++;
      this.lossFull += pNormalizer - p[nextTokens[row]];
      this.loss += qNormalizer - q[nextTokens[row]];
    }
  }

  result(): Divergence {
    const { divergenceByToken, losses } = this;
    const rows = divergenceByToken.length;
    const mean = (sum: number, count: number): number => (count > 0 ? sum / count : 0);
    const lossFullNats = mean(this.lossFull, losses);
    const lossNats = mean(this.loss, losses);
    return {
      divergenceNats: mean(
        divergenceByToken.reduce((sum, value) => sum + value, 0),
        rows,
      ),
      top1Agreement: mean(this.agreed, rows),
      lossFullNats,
      lossNats,
      lossDifferenceNats: lossNats - lossFullNats,
      divergenceByToken,
    };
  }
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
