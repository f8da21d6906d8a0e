import { describe, expect, test } from 'vitest';
import { belowDiagonal, fromBelowDiagonal } from '../../src/snapshot/quantise';

describe('pictures of causal maps', () => {
  test.each([
    [0, 0],
    [1, 1],
    [1, 5],
    [3, 4],
  ])('%i of %i pixels come back, with zeros above the diagonal', (count, side) => {
    const full = Uint8Array.from({ length: count * side * side }, (_, i) => (i % 255) + 1);
    const packed = belowDiagonal(full, side);
    expect(packed).toHaveLength((count * side * (side + 1)) / 2);
    const want = full.map((byte, i) => (i % side <= Math.floor(i / side) % side ? byte : 0));
    expect(fromBelowDiagonal(packed, side)).toEqual(want);
  });

  test('are refused when something is missing', () => {
    expect(() => fromBelowDiagonal(new Uint8Array(11), 4)).toThrow('11 bytes are no pictures of 4 pixels');
  });
});
