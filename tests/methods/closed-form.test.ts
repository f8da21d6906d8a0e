import { describe, expect, it } from 'vitest';
import { closedForm, rotateMoments } from '../../src/methods/esa/closed-form';
import { secondMoments } from '../../src/methods/esa/moments';
import { lcg } from '../golden/lcg';
import { expectClose } from './agreement';
import { rotate } from './recorded';

const channels = 12;
const rows = 40;

/** Rows with correlated channels: a random mix of fewer independent ones, and some noise. */
function correlated(seed: number, noise: number): Float32Array {
  const next = lcg(seed);
  const mix = Array.from({ length: 5 * channels }, next);
  const out = new Float32Array(rows * channels);
  for (let row = 0; row < rows; row++) {
    const sources = Array.from({ length: 5 }, next);
    for (let c = 0; c < channels; c++) {
      out[row * channels + c] = sources.reduce(
        (sum, x, i) => sum + x * mix[i * channels + c],
        noise * next(),
      );
    }
  }
  return out;
}

/** (1/n²) Σ over all pairs of (q·k − W_θq · W_φk)². */
function residual(
  query: Float32Array,
  key: Float32Array,
  queryMap: Float64Array,
  keyMap: Float64Array,
): number {
  const width = queryMap.length / channels;
  const apply = (map: Float64Array, x: Float32Array): number[] =>
    Array.from({ length: width }, (_, i) =>
      x.reduce((sum, value, c) => sum + map[i * channels + c] * value, 0),
    );
  const rowOf = (data: Float32Array, row: number) => data.subarray(row * channels, (row + 1) * channels);
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
    return sum;
  };
  const keys = Array.from({ length: rows }, (_, row) => rowOf(key, row));
  const mapped = keys.map((k) => apply(keyMap, k));
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    const q = rowOf(query, row);
    const compressed = apply(queryMap, q);
    keys.forEach((k, i) => {
      sum += (dot(q, k) - dot(compressed, mapped[i])) ** 2;
    });
  }
  return sum / rows ** 2;
}

describe('closed form', () => {
  const query = correlated(1, 0.3);
  const key = correlated(2, 0.3);
  const form = closedForm({ query: secondMoments(query, channels), key: secondMoments(key, channels) });
  const cut = (map: Float64Array, dimension: number) => map.slice(0, dimension * channels);

  it.each([1, 2, 4, 8, 11])('leaves Σ S_i² beyond d′ = %i', (dimension) => {
    const measured = residual(query, key, cut(form.queryMap, dimension), cut(form.keyMap, dimension));
    const predicted = form.singularValues.subarray(dimension).reduce((sum, s) => sum + s ** 2, 0);
    expect(predicted).toBeGreaterThan(0);
    expect(measured / predicted).toBeCloseTo(1, 9);
  });

  it('is exact at full rank', () => {
    expect(residual(query, key, form.queryMap, form.keyMap)).toBeLessThan(1e-20);
  });

  it('is better than any small change of it', () => {
    const next = lcg(3);
    const best = residual(query, key, cut(form.queryMap, 3), cut(form.keyMap, 3));
    for (let trial = 0; trial < 20; trial++) {
      const changed = cut(form.queryMap, 3).map((value) => value + 0.01 * next());
      expect(residual(query, key, changed, cut(form.keyMap, 3))).toBeGreaterThan(best);
    }
  });

  it('survives moments of lower rank and of nothing', () => {
    const flat = correlated(4, 0);
    const lowRank = closedForm({ query: secondMoments(flat, channels), key: secondMoments(key, channels) });
    expect(residual(flat, key, lowRank.queryMap, lowRank.keyMap)).toBeLessThan(1e-9);
    const zero = new Float64Array(channels ** 2);
    const nothing = closedForm({ query: zero, key: secondMoments(key, channels) });
    expect([...nothing.queryMap, ...nothing.keyMap].every(Number.isFinite)).toBe(true);
  });

  it('rotates moments as if every query had been rotated', () => {
    const headDimension = channels / 2;
    const position = 5;
    const theta = 10000;
    const half = headDimension / 2;
    const angles = Array.from({ length: half }, (_, j) => position * theta ** ((-2 * j) / headDimension));
    const rotated = rotateMoments(
      secondMoments(query, channels),
      headDimension,
      Float32Array.from(angles, Math.cos),
      Float32Array.from(angles, Math.sin),
    );
    // Every row as `position + 1` tokens of one head, of which the last is rotated as wanted.
    const turned = new Float32Array(query.length);
    for (let start = 0; start < query.length; start += headDimension) {
      const repeated = new Float32Array((position + 1) * headDimension);
      repeated.set(query.subarray(start, start + headDimension), position * headDimension);
      const out = rotate(repeated, position + 1, headDimension, theta);
      turned.set(out.subarray(position * headDimension), start);
    }
    expectClose(rotated, secondMoments(turned, channels));
  });
});
