/** How far a free run's next-token distributions are from full attention's. Everything in double precision. */

import { median } from '../base/median';
import type { Divergence, DivergencePart } from './results';

export interface DivergenceByRow extends Divergence {
  /** Whether the most likely token is the same, per row. */
  readonly agreesByToken: readonly boolean[];
}

/** A token's divergence counts as large from here on, nats. */
const LARGE_NATS = 0.1;

/**
 * KL(full ‖ selective) = Σ_v p(v)·ln(p(v)/p̂(v)) in nats, agreement of the most likely token (the lower index at a tie), and the
 * mean loss −ln p(next) over the rows that have a next token (null over none); added up over rows of logits that come in any
 * number of pieces.
 */
export class DivergenceSums {
  readonly #vocabularySize: number;
  readonly #divergenceByToken: number[] = [];
  readonly #agreesByToken: boolean[] = [];
  #losses = 0;
  #lossFull = 0;
  #loss = 0;

  constructor(vocabularySize: number) {
    this.#vocabularySize = vocabularySize;
  }

  /** Adds rows of logits [n, V]; the first rows have the next tokens that are given. */
  add(full: Float32Array, selective: Float32Array, nextTokens: ArrayLike<number>): void {
    const vocabularySize = this.#vocabularySize;
    const rows = full.length / vocabularySize;
    for (let row = 0; row < rows; row++) {
      const p = full.subarray(row * vocabularySize, (row + 1) * vocabularySize);
      const q = selective.subarray(row * vocabularySize, (row + 1) * vocabularySize);
      const pNormalizer = logSumExp(p);
      const qNormalizer = logSumExp(q);
      let divergence = 0;
      for (let v = 0; v < vocabularySize; v++) {
        const logP = p[v]! - pNormalizer;
        const logQ = q[v]! - qNormalizer;
        if (logP > Number.NEGATIVE_INFINITY) divergence += Math.exp(logP) * (logP - logQ);
      }
      this.#divergenceByToken.push(Math.max(0, divergence));
      this.#agreesByToken.push(largest(p) === largest(q));
      if (row >= nextTokens.length) continue;
      this.#losses++;
      this.#lossFull += pNormalizer - p[nextTokens[row]!]!;
      this.#loss += qNormalizer - q[nextTokens[row]!]!;
    }
  }

  result(): DivergenceByRow {
    const divergenceByToken = this.#divergenceByToken;
    const agreesByToken = this.#agreesByToken;
    const losses = this.#losses;
    const lossFullNats = losses === 0 ? null : this.#lossFull / losses;
    const lossNats = losses === 0 ? null : this.#loss / losses;
    return {
      divergenceNats: mean(divergenceByToken),
      top1Agreement: mean(agreesByToken.map(Number)),
      lossFullNats,
      lossNats,
      lossDifferenceNats: lossNats === null || lossFullNats === null ? null : lossNats - lossFullNats,
      divergenceByToken,
      agreesByToken,
    };
  }
}

/** The queries [start, end) of a divergence whose row 0 is query `first`; null where there is none of them. */
export function divergencePart(
  { divergenceByToken, agreesByToken }: Pick<DivergenceByRow, 'divergenceByToken' | 'agreesByToken'>,
  first: number,
  { start, end }: { readonly start: number; readonly end: number },
): DivergencePart | null {
  const from = Math.max(first, start);
  if (from >= end) return null;
  const nats = divergenceByToken.slice(from - first, end - first);
  return {
    start: from,
    end,
    ...spreadOf(nats),
    top1Agreement: mean(agreesByToken.slice(from - first, end - first).map(Number)),
  };
}

/** Mean, median (between the middle two of an even number) and the share above LARGE_NATS; of one value at least. */
export function spreadOf(
  nats: readonly number[],
): Pick<DivergencePart, 'meanNats' | 'medianNats' | 'shareAbove'> {
  return {
    meanNats: mean(nats),
    medianNats: median(nats),
    shareAbove: nats.filter((value) => value > LARGE_NATS).length / nats.length,
  };
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function logSumExp(values: Float32Array): number {
  const maximum = values[largest(values)];
  let sum = 0;
  for (const value of values) sum += Math.exp(value - maximum!);
  return maximum! + Math.log(sum);
}

function largest(values: Float32Array): number {
  let best = 0;
  for (let v = 1; v < values.length; v++) if (values[v]! > values[best]!) best = v;
  return best;
}
