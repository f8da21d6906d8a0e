import { describe, expect, test } from 'vitest';
import { firstWeightOf, isHeavy, MISSED_FIRST, missedFrom } from '../../src/measure/missed';
import { KEY_FATES, type QueryRow } from '../../src/measure/results';
import { isMissed } from '../../src/page/explain/explain-key';

const dropped = KEY_FATES.indexOf('dropped');

/** A row whose keys are all dropped but those kept. */
function rowOf(weights: readonly number[], kept: readonly number[] = []): QueryRow {
  const values = Float32Array.from(weights);
  return {
    ...{ method: { id: 'oracle', parameters: {} }, layer: 0, head: 0, query: weights.length - 1 },
    ...{ rule: { kind: 'scores', partitions: null, evictedAt: null }, scores: null, secondary: null },
    positions: 'model',
    weights: values,
    firstWeight: firstWeightOf(values),
    fates: Uint8Array.from(weights, (_, key) => (kept.includes(key) ? 1 : dropped)),
  };
}

const missedOf = (row: QueryRow): number[] => [...row.weights.keys()].filter((key) => isMissed(row, key));

describe('a dropped key is missed', () => {
  test('from 1 % of what lies outside tokens 0 to 3', () => {
    // 0.8 on the first four, so 0.2 elsewhere: the limit is 0.002.
    expect(missedFrom(0.8)).toBeCloseTo(0.002, 12);
    const row = rowOf([0.797, 0.001, 0.001, 0.001, 0.0021, 0.0019, 0.1, 0.096]);
    expect(missedOf(row)).toEqual([0, 4, 6, 7]);
    expect(missedOf(rowOf([...row.weights], [0, 6, 7]))).toEqual([4]);
  });

  test('never where the others have less than 1 % together, whatever their weights', () => {
    expect(missedFrom(0.9901)).toBe(Number.POSITIVE_INFINITY);
    expect(missedFrom(0.9899)).toBeCloseTo(0.000101, 9);
    expect(missedOf(rowOf([0.5, 0.4925, 0, 0, 0.0075]))).toEqual([0, 1]);
  });

  test('among tokens 0 to 3 from 1 % of the whole, however little the others have', () => {
    expect(MISSED_FIRST).toBe(0.01);
    expect(missedOf(rowOf([0.0101, 0.0099, 0.985, 0.002, 0.0005]))).toEqual([0, 2]);
    expect(isHeavy(3, 0.01, 0.4)).toBe(true);
    expect(isHeavy(4, 0.00599, 0.4)).toBe(false);
    expect(isHeavy(4, 0.00601, 0.4)).toBe(true);
  });

  test('in texts shorter than four tokens, too', () => {
    expect(missedOf(rowOf([1]))).toEqual([0]);
    expect(missedOf(rowOf([0.995, 0.005]))).toEqual([0]);
  });

  test('at most a hundred outside the first four, whatever the length', () => {
    for (const tokens of [1_000, 2_300, 16_000]) {
      const equal = rowOf(new Array<number>(tokens).fill(1 / tokens));
      expect(missedOf(equal), 'an equal share is no miss').toEqual([]);
      const heavy = rowOf([
        0,
        0,
        0,
        0,
        ...new Array<number>(90).fill(1 / 90),
        ...new Array<number>(tokens).fill(0),
      ]);
      expect(missedOf(heavy)).toHaveLength(90);
    }
  });
});
