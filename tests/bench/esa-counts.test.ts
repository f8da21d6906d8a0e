import { describe, expect, it } from 'vitest';
import { allowedSpeedUps, type CountedStep, stepOperations } from '../../bench/esa-counts';

const step: CountedStep = {
  queryHeads: 16,
  keyValueHeads: 8,
  headDimension: 128,
  compressedDim: 128,
  tokens: 32_768,
  blockTokens: 512,
  initTokens: 128,
  localTokens: 4096,
  selectedTokens: 2048,
};

describe('allowedSpeedUps', () => {
  it('gives what counting by hand gives', () => {
    // 16 heads at 4·128 + 3 a key; 32,768 keys, or 128 + 2,048 + 4,096 + 512 of them, 28,032 in the middle compared twice with
    // 128 channels, and 1,024 × 128 weights for one query and one key.
    const perKey = 16 * 515;
    const full = perKey * 32_768;
    const esa = perKey * 6784 + 28_032 * 515 + 4 * 1024 * 128;
    expect(allowedSpeedUps(step).twoPasses).toBeCloseTo(full / esa, 10);
    expect(full / esa).toBeCloseTo(3.81, 2);
  });

  it('grows with the text, and with fewer local tokens', () => {
    expect(allowedSpeedUps({ ...step, tokens: 131_072 }).twoPasses).toBeCloseTo(8.89, 2);
    expect(allowedSpeedUps({ ...step, localTokens: 512 }).twoPasses).toBeCloseTo(6.25, 2);
  });

  it('allows a little more where the causal half of the block is not counted', () => {
    // Means of 256.5 instead of 512 keys of the block; folding adds 8·128, dilation 7·28,032/512.
    const perKey = 16 * 515;
    const full = perKey * (32_256 + 256.5);
    const esa = perKey * (6272 + 256.5) + 28_032 * 515 + 4 * 1024 * 128 + 8 * 128 + (7 * 28_032) / 512;
    expect(allowedSpeedUps(step).causal).toBeCloseTo(full / esa, 10);
  });

  it("follows the paper's formula, which compresses all query heads and scores once", () => {
    const perKey = 4 * 2048 + 3 * 16;
    const full = perKey * 32_768;
    const esa = perKey * 6784 + 28_032 * (2 * 128 + 1) + 4 * 2048 * 128 + 2 * 128;
    expect(allowedSpeedUps(step).paper).toBeCloseTo(full / esa, 10);
  });

  it('is one where every token has room', () => {
    for (const tokens of [512, 1024, 4096, 6144]) {
      const { twoPasses, causal, paper } = allowedSpeedUps({ ...step, tokens });
      expect([twoPasses, causal, paper]).toEqual([1, 1, 1]);
    }
  });
});

describe('stepOperations', () => {
  it('counts visible pairs of the block', () => {
    const tiny = { ...step, tokens: 3, blockTokens: 2, queryHeads: 1, headDimension: 1 };
    // The two queries see two and three keys, at 4 + 3 operations.
    expect(stepOperations(tiny).full).toBe(7 * 5);
    expect(stepOperations(tiny).esa).toBe(7 * 5);
  });
});
