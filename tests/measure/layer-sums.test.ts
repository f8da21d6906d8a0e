import { describe, expect, it } from 'vitest';
import { LayerSums } from '../../src/measure/layer-sums';

describe('sums of a layer', () => {
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
    },
  );
});
