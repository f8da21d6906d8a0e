import { describe, expect, it } from 'vitest';
import { type DivergenceByRow, DivergenceSums, divergencePart } from '../../src/measure/divergence';
import { wilsonInterval } from '../../src/measure/wilson';

function compareLogits(
  full: Float32Array,
  selective: Float32Array,
  vocabularySize: number,
  nextTokens: readonly number[],
): DivergenceByRow {
  const sums = new DivergenceSums(vocabularySize);
  sums.add(full, selective, nextTokens);
  return sums.result();
}

describe('divergence', () => {
  const probabilities = (...values: number[]): Float32Array => Float32Array.from(values, Math.log);

  it('is Σ p ln(p/q) in nats', () => {
    const full = probabilities(0.5, 0.25, 0.25, 0.1, 0.2, 0.7);
    const selective = probabilities(0.25, 0.25, 0.5, 0.1, 0.2, 0.7);
    const result = compareLogits(full, selective, 3, [1]);
    const first = 0.5 * Math.log(2) + 0.25 * Math.log(0.5);
    expect(result.divergenceByToken[0]).toBeCloseTo(first, 6);
    expect(result.divergenceByToken[1]).toBeCloseTo(0, 6);
    expect(result.divergenceNats).toBeCloseTo(first / 2, 6);
    expect(result.top1Agreement).toBe(0.5);
    expect(result.lossFullNats).toBeCloseTo(Math.log(4), 6);
    expect(result.lossDifferenceNats).toBeCloseTo(0, 6);
  });

  it('does not change when logits shift, however large they are', () => {
    const full = Float32Array.from([1000, 1002, 998]);
    const selective = Float32Array.from([-500, -501, -502]);
    const shifted = compareLogits(
      full.map((x) => x - 1000),
      selective.map((x) => x + 500),
      3,
      [2],
    );
    const result = compareLogits(full, selective, 3, [2]);
    expect(result.divergenceNats).toBeCloseTo(shifted.divergenceNats, 9);
    expect(result.lossNats).toBeCloseTo(shifted.lossNats!, 9);
    expect(result.divergenceNats).toBeGreaterThan(0.5);
  });

  it('at a tie compares the lower of the most likely tokens', () => {
    const full = Float32Array.from([1, 3, 3, 0]);
    // Tied at the top on both sides: token 1 is the lower of each pair, the higher ones differ.
    expect(compareLogits(full, Float32Array.from([0, 3, 1, 3]), 4, []).top1Agreement).toBe(1);
    // The higher ones agree, the lower ones do not.
    expect(compareLogits(full, Float32Array.from([3, 1, 3, 0]), 4, []).top1Agreement).toBe(0);
  });

  it('has no loss where no query has a next token', () => {
    const result = compareLogits(Float32Array.from([1, 2]), Float32Array.from([2, 1]), 2, []);
    expect(result).toMatchObject({ lossFullNats: null, lossNats: null, lossDifferenceNats: null });
    expect(result.divergenceNats).toBeGreaterThan(0);
  });

  it('is told of a part of the queries by mean, median and the share of large ones', () => {
    const divergenceByToken = [9, 0.2, 0.1, 0.01, 5];
    const agreesByToken = [false, true, false, true, true];
    const part = (start: number, end: number) =>
      divergencePart({ divergenceByToken, agreesByToken }, 10, { start, end });
    expect(part(11, 14)).toEqual({
      start: 11,
      end: 14,
      meanNats: expect.closeTo(0.31 / 3, 12),
      medianNats: 0.1,
      shareAbove: 1 / 3,
      top1Agreement: 2 / 3,
    });
    expect(part(11, 15)).toMatchObject({ medianNats: expect.closeTo(0.15, 12), shareAbove: 0.5 });
    expect(part(4, 11), 'begins with the first query').toMatchObject({ start: 10, end: 11, medianNats: 9 });
    expect(part(4, 10)).toBeNull();
    expect(part(14, 14)).toBeNull();
  });

  it('leaves a token that full attention rules out, and takes the last token’s loss from nowhere', () => {
    const full = Float32Array.from([0, Number.NEGATIVE_INFINITY, 0, 0]);
    const selective = Float32Array.from([0, 0, 0, 0]);
    const result = compareLogits(full, selective, 2, [0]);
    expect(result.divergenceByToken[0]).toBeCloseTo(Math.log(2), 6);
    expect(result.lossFullNats).toBe(0);
    expect(result.lossNats).toBeCloseTo(Math.log(2), 6);
  });
});

it('divergence is the same in one piece and in several', () => {
  const logits = (seed: number) => Float32Array.from({ length: 7 * 5 }, (_, i) => Math.sin(i * seed));
  const [full, selective, next] = [logits(1.3), logits(0.7), [4, 0, 3, 2, 1, 2]];
  const whole = compareLogits(full, selective, 5, next);
  for (const piece of [1, 2, 3, 6]) {
    const sums = new DivergenceSums(5);
    for (let row = 0; row < 7; row += piece) {
      const part = (values: Float32Array) => values.subarray(row * 5, (row + piece) * 5);
      sums.add(part(full), part(selective), next.slice(row));
    }
    expect(sums.result(), `${piece} rows at once`).toEqual(whole);
  }
});

describe('wilsonInterval', () => {
  // Wilson 1927; statsmodels.stats.proportion.proportion_confint(method="wilson") gives the same.
  it.each([
    [0, 10, 0, 0.277533],
    [10, 10, 0.722467, 1],
    [95, 100, 0.888252, 0.978456],
    [198, 200, 0.964286, 0.997253],
  ])('%i of %i', (successes, trials, low, high) => {
    const interval = wilsonInterval(successes, trials);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  it('knows nothing without trials', () => {
    expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
  });
});
