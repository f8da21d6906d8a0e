import { describe, expect, test } from 'vitest';
import { type ColourTables, colourTablesOf, IGNORED_BITS } from '../../components/map/colour-tables';
import {
  belowDiagonal,
  differences,
  fromBelowDiagonal,
  fromDifferences,
  quantiseWeights,
  restoreWeights,
} from '../../src/snapshot/quantise';

describe('levels of weights', () => {
  const weights = Float32Array.from({ length: 2000 }, (_, i) => 10 ** (-6 + (6 * i) / 1999));

  test('are off by at most two of 256 steps over five decades', () => {
    for (const [at, restored] of restoreWeights(quantiseWeights(weights)).entries()) {
      const weight = Math.max(weights[at]!, 1e-5);
      expect(Math.abs(Math.log10(restored / weight))).toBeLessThan(2 / (256 / 5) + 1e-6);
    }
    expect(restoreWeights(quantiseWeights([0, 1e-30, 1]))).toEqual(Float32Array.of(0, 1e-5, 1));
  });

  test.each(['dark', 'light'] as const)(
    'show the colours of the weights to 8 of 255 a channel (%s)',
    (theme) => {
      const bits = new Uint32Array(1);
      const channelsOf = (ramp: Uint32Array, weight: number): number[] => {
        new Float32Array(bits.buffer)[0] = weight;
        const colour = ramp[bits[0]! >>> IGNORED_BITS]!;
        return [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
      };
      const ramps: ColourTables = colourTablesOf(theme);
      const restored = restoreWeights(quantiseWeights(weights));
      for (const ramp of [ramps.heat, ramps.kept, ramps.missed, ramps.faint]) {
        for (const [at, weight] of weights.entries()) {
          const want = channelsOf(ramp, weight);
          channelsOf(ramp, restored[at]!).forEach((channel, i) => {
            expect(Math.abs(channel - want[i]!)).toBeLessThanOrEqual(8);
          });
        }
      }
    },
  );
});

describe('pictures of causal maps', () => {
  const shapes = [
    [0, 0],
    [1, 1],
    [1, 5],
    [3, 4],
  ] as const;

  test.each(shapes)('%i of %i pixels come back, with zeros above the diagonal', (count, side) => {
    const full = Uint8Array.from({ length: count * side * side }, (_, i) => (i % 255) + 1);
    const packed = belowDiagonal(full, side);
    expect(packed).toHaveLength((count * side * (side + 1)) / 2);
    const want = full.map((byte, i) => (i % side <= Math.floor(i / side) % side ? byte : 0));
    expect(fromBelowDiagonal(packed, side, count)).toEqual(want);
  });

  test.each(shapes)('%i of %i pixels come back from what they differ by', (count, side) => {
    const packed = Uint8Array.from(
      { length: (count * side * (side + 1)) / 2 },
      (_, i) => (i * 97 + 13) % 256,
    );
    expect(fromDifferences(differences(packed, side), side)).toEqual(packed);
  });

  test('differ by nothing where they are even, but for the first pixel', () => {
    expect(differences(new Uint8Array(10).fill(7), 4)).toEqual(Uint8Array.of(7, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    // From 9 above and 4 to the left: 6.
    expect(differences(Uint8Array.of(1, 9, 3, 4, 6, 2), 3)[4]).toBe(6 - ((3 + 4) >> 1));
  });

  test('are refused when something is missing', () => {
    expect(() => fromBelowDiagonal(new Uint8Array(11), 4, 1)).toThrow(
      '11 bytes are not 1 pictures of 4 pixels',
    );
  });
});
