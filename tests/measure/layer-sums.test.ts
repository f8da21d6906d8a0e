import { describe, expect, it } from 'vitest';
import { share } from '../../src/measure/layer-blocks';
import { LayerSums } from '../../src/measure/layer-sums';

describe('sums of a layer', () => {
  it('counts each query among the keys that it sees, and has the most ties of all blocks', () => {
    const sums = new LayerSums(1);
    const kept = (listed: number[], rangeStart: number, tied: number) => ({
      sets: [Uint32Array.from(listed)],
      rangeStart,
      candidates: { start: 0, end: rangeStart },
      tiedAtCut: [tied],
    });
    // Query 1 sees itself and token 0 of two; query 5 sees tokens 0 and 4, and itself, of six.
    sums.addKept(kept([0], 1, 3), 1, 2);
    sums.addKept(kept([0], 4, 2), 5, 6);
    const { keptShare, tiedAtCut } = sums.result(0);
    expect(keptShare).toBeCloseTo((2 / 2 + 3 / 6) / 2, 15);
    expect(tiedAtCut).toBe(3);
  });

  it('weighs selector recall by the queries of each block', () => {
    const sums = new LayerSums(1);
    sums.addSelector({ block: 0.25, perQuery: 0.5 }, 3);
    sums.addSelector({ block: 0.75, perQuery: null }, 1);
    sums.addSelector(null, 10);
    const { selectorRecall, selectorRecallPerQuery } = sums.result(0);
    expect(selectorRecall).toBeCloseTo((3 * 0.25 + 0.75) / 4, 15);
    expect(selectorRecallPerQuery).toBeCloseTo(0.5, 15);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])(
    'names layer and head of %s instead of giving it out',
    (value) => {
      const masses = new LayerSums(3);
      masses.heads[2]!.massRecall.add(value);
      expect(() => masses.result(4)).toThrow('attention masses of layer 4, head 2 are not finite');
      const outputs = new LayerSums(3);
      outputs.heads[1]!.squaredError = value;
      expect(() => outputs.result(4)).toThrow('attention outputs of layer 4, head 1 are not finite');
      const projected = new LayerSums(1);
      projected.addProjected(new Float32Array([1, 2]), new Float32Array([1, value]));
      expect(() => projected.result(4)).toThrow('outputs after W_O of layer 4 are not finite');
    },
  );

  it('has a share of the mass for log-sum-exps that are numbers alone', () => {
    expect(share(2, 3)).toBeCloseTo(Math.exp(-1), 15);
    expect(share(3 + 1e-7, 3)).toBe(1);
    expect(share(Number.NEGATIVE_INFINITY, 3)).toBe(0);
    for (const [part, all] of [
      [Number.POSITIVE_INFINITY, 3],
      [Number.NaN, 3],
      [3, Number.POSITIVE_INFINITY],
      [3, Number.NEGATIVE_INFINITY],
      [3, Number.NaN],
    ] as const)
      expect(share(part, all)).toBeNaN();
  });
});
