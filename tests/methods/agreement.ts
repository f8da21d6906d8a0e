/**
 * When two implementations agree (docs/contracts.md, "Agreement"): scores within a tolerance of the layer's largest |score|;
 * kept sets equal outside twice that band around the cut; and something must be left to compare.
 */
import { expect } from 'vitest';

/** Of the layer's largest |score|. */
export const tolerances = { cpu: 1e-5, webgpu: 1e-4 } as const;

export function largestMagnitude(rows: readonly Float32Array[]): number {
  let largest = 0;
  for (const row of rows) for (const score of row) if (Math.abs(score) > largest) largest = Math.abs(score);
  return largest;
}

/** Same tokens scored, scores within the band. */
export function expectScores(
  actual: readonly Float32Array[],
  reference: readonly Float32Array[],
  tolerance: number,
): void {
  expect(actual.length).toBe(reference.length);
  const band = tolerance * largestMagnitude(reference);
  let worst = 0;
  reference.forEach((row, r) => {
    expect(actual[r]!.length).toBe(row.length);
    row.forEach((score, token) => {
      expect(Number.isNaN(actual[r]![token]), `row ${r}, token ${token} is scored`).toBe(Number.isNaN(score));
      if (!Number.isNaN(score)) worst = Math.max(worst, Math.abs(actual[r]![token]! - score));
    });
  });
  expect(worst).toBeLessThanOrEqual(band);
}

export interface CutScores {
  /** Scores by token, NaN where there are none. */
  readonly score: Float32Array;
  /** What breaks exact ties of `score`, where the reference breaks them the same way. */
  readonly secondary?: Float32Array;
  /** Scores compete only within so many tokens from `start`. */
  readonly segmentTokens?: number;
  readonly start: number;
  readonly band: number;
}

/**
 * Kept tokens equal but for those too close to the cut. Tokens without a score must agree. Returns the number of scored tokens
 * that were compared; at least one is.
 */
export function expectKept(
  actual: readonly number[],
  reference: readonly number[],
  scores: CutScores | null,
): number {
  const kept = new Set(actual);
  const wanted = new Set(reference);
  expect(actual.length).toBe(reference.length);
  if (!scores) {
    expect(actual).toEqual(reference);
    return actual.length;
  }
  const { score, secondary, segmentTokens = Number.POSITIVE_INFINITY, start, band } = scores;
  const segmentOf = (token: number): number => Math.floor((token - start) / segmentTokens);
  const cuts = new Map<number, { score: number; secondary: number }>();
  for (const token of actual) {
    if (Number.isNaN(score[token])) continue;
    const own = { score: score[token]!, secondary: secondary?.[token] ?? 0 };
    const cut = cuts.get(segmentOf(token));
    const isLower =
      !cut || own.score < cut.score || (own.score === cut.score && own.secondary < cut.secondary);
    if (isLower) cuts.set(segmentOf(token), own);
  }
  let compared = 0;
  for (let token = 0; token < score.length; token++) {
    if (!Number.isNaN(score[token])) {
      const cut = cuts.get(segmentOf(token));
      const isFar = !cut || Math.abs(score[token]! - cut.score) > 2 * band;
      const isTieBroken =
        cut &&
        secondary &&
        score[token] === cut.score &&
        Math.abs(secondary[token]! - cut.secondary) > 2 * band;
      if (!isFar && !isTieBroken) continue;
      compared++;
    }
    expect(kept.has(token), `token ${token} is kept`).toBe(wanted.has(token));
  }
  expect(compared, 'tokens left to compare').toBeGreaterThan(0);
  return compared;
}

/** The same numbers to `digits` decimals. */
export function expectClose(actual: ArrayLike<number>, wanted: ArrayLike<number>, digits = 5): void {
  expect(actual.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) expect(actual[i]).toBeCloseTo(wanted[i]!, digits);
}
