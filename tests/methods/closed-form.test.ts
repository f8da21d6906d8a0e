import { describe, expect, it } from 'vitest';
import {
  type ClosedForm,
  closedForm as closedFormSteps,
  rotateMoments,
  type SecondMoments,
} from '../../src/methods/esa/closed-form';
import { secondMoments } from '../../src/methods/esa/moments';
import { inTurns } from '../../src/methods/in-turns';
import { symmetricEigen } from '../../src/methods/symmetric-eigen';
import { lcg } from '../golden/lcg';
import { expectClose } from './agreement';
import { rotate } from './recorded';

/** To its end at once; throws where it takes more steps than so many. */
function finish<T>(work: Generator<void, T>, mostSteps: number): T {
  for (let steps = 0; steps <= mostSteps; steps++) {
    const step = work.next();
    if (step.done) return step.value;
  }
  throw new Error(`no end after ${mostSteps} steps`);
}
/** Some 20 steps a channel are usual. */
const closedForm = (moments: SecondMoments): ClosedForm =>
  finish(closedFormSteps(moments), 60 * Math.sqrt(moments.query.length));

const CHANNELS = 12;
const ROWS = 40;

/** Rows with correlated channels: a random mix of fewer independent ones, and some noise. */
function correlated(seed: number, noise: number): Float32Array {
  const next = lcg(seed);
  const mix = Array.from({ length: 5 * CHANNELS }, next);
  const out = new Float32Array(ROWS * CHANNELS);
  for (let row = 0; row < ROWS; row++) {
    const sources = Array.from({ length: 5 }, next);
    for (let c = 0; c < CHANNELS; c++) {
      out[row * CHANNELS + c] = sources.reduce(
        (sum, x, i) => sum + x * mix[i * CHANNELS + c]!,
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
  const width = queryMap.length / CHANNELS;
  const apply = (map: Float64Array, x: Float32Array): number[] =>
    Array.from({ length: width }, (_, i) =>
      x.reduce((sum, value, c) => sum + map[i * CHANNELS + c]! * value, 0),
    );
  const rowOf = (data: Float32Array, row: number) => data.subarray(row * CHANNELS, (row + 1) * CHANNELS);
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
    let sum = 0;
    for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
    return sum;
  };
  const keys = Array.from({ length: ROWS }, (_, row) => rowOf(key, row));
  const mapped = keys.map((k) => apply(keyMap, k));
  let sum = 0;
  for (let row = 0; row < ROWS; row++) {
    const q = rowOf(query, row);
    const compressed = apply(queryMap, q);
    keys.forEach((k, i) => {
      sum += (dot(q, k) - dot(compressed, mapped[i]!)) ** 2;
    });
  }
  return sum / ROWS ** 2;
}

describe('closed form', () => {
  const query = correlated(1, 0.3);
  const key = correlated(2, 0.3);
  const form = closedForm({ query: secondMoments(query, CHANNELS), key: secondMoments(key, CHANNELS) });
  const cut = (map: Float64Array, dimension: number) => map.slice(0, dimension * CHANNELS);

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
    const lowRank = closedForm({ query: secondMoments(flat, CHANNELS), key: secondMoments(key, CHANNELS) });
    expect(residual(flat, key, lowRank.queryMap, lowRank.keyMap)).toBeLessThan(1e-9);
    const zero = new Float64Array(CHANNELS ** 2);
    const nothing = closedForm({ query: zero, key: secondMoments(key, CHANNELS) });
    expect([...nothing.queryMap, ...nothing.keyMap].every(Number.isFinite)).toBe(true);
  });

  /** [tokens, width] whose rows are the given function of token and channel. */
  const made = (tokens: number, width: number, value: (token: number, channel: number) => number) =>
    Float32Array.from({ length: tokens * width }, (_, i) => value(Math.floor(i / width), i % width));
  const ordinary = (tokens: number, width: number, seed: number): Float32Array => {
    const next = lcg(seed);
    return made(tokens, width, () => next());
  };
  const ranks: [what: string, make: (tokens: number, width: number) => Float32Array][] = [
    ['0', (tokens, width) => made(tokens, width, () => 0)],
    ['1, all entries equal', (tokens, width) => made(tokens, width, () => 1)],
    ['1, other channels', (tokens, width) => made(tokens, width, (_, channel) => Math.sin(channel))],
    ['2', (tokens, width) => made(tokens, width, (token, c) => (token % 2 ? Math.sin(c) : Math.cos(3 * c)))],
    ['1 of 1e-15', (tokens, width) => made(tokens, width, () => 1e-15)],
    ['1 of 1e-20', (tokens, width) => made(tokens, width, () => 1e-20)],
    ['1 of denormals', (tokens, width) => made(tokens, width, () => 1e-45)],
    ['1 of 3e38', (tokens, width) => made(tokens, width, () => 3e38)],
    ['full, about 3e38', (tokens, width) => ordinary(tokens, width, 7).map((x) => 3e38 * x)],
    ['one channel alone', (tokens, width) => made(tokens, width, (token, c) => (c === 5 ? token : 0))],
  ];

  // Widths at which another library's iteration did not end, and one with an odd head size.
  describe.each([
    [5, 93],
    [5, 128],
    [65, 93],
  ])('of %i tokens with %i channels ends', (tokens, width) => {
    it.each(ranks)('on queries of rank %s, and on such keys', (_what, make) => {
      for (const [queries, keys] of [
        [make(tokens, width), ordinary(tokens, width, 3)],
        [ordinary(tokens, width, 4), make(tokens, width)],
        [make(tokens, width), make(tokens, width)],
      ]) {
        const { queryMap, keyMap, singularValues } = closedForm({
          query: secondMoments(queries!, width),
          key: secondMoments(keys!, width),
        });
        expect([queryMap, keyMap, singularValues].every((part) => part.every(Number.isFinite))).toBe(true);
        for (const map of [queryMap, keyMap])
          expect(Float32Array.from(map).every(Number.isFinite)).toBe(true);
        // At full rank the products of all pairs are those of the queries and keys themselves.
        const at = (map: Float64Array, x: Float32Array): number[] =>
          Array.from({ length: width }, (_, i) => {
            let sum = 0;
            for (let c = 0; c < width; c++) sum += map[i * width + c]! * x[c]!;
            return sum;
          });
        const [q, k] = [queries!.subarray(0, width), keys!.subarray(width, 2 * width)];
        const compressedKey = at(keyMap, k);
        const found = at(queryMap, q).reduce((sum, x, i) => sum + x * compressedKey[i]!, 0);
        let wanted = 0;
        let size = 0;
        for (let c = 0; c < width; c++) {
          wanted += q[c]! * k[c]!;
          size += Math.abs(q[c]! * k[c]!);
        }
        expect(Math.abs(found - wanted)).toBeLessThanOrEqual(1e-6 * size);
      }
    });
  });

  it('refuses moments that are not finite in a sentence', () => {
    const ordinaryMoments = secondMoments(key, CHANNELS);
    const broken = ordinaryMoments.with(7, Number.POSITIVE_INFINITY);
    expect(() => closedForm({ query: broken, key: ordinaryMoments })).toThrow(
      'esa: the second moments of the queries are too large to compute with; use projection "exact" or another method.',
    );
    expect(() => closedForm({ query: ordinaryMoments, key: broken.with(7, Number.NaN) })).toThrow(
      /moments of the keys/,
    );
  });

  it('of 514 channels lets other work in between, and can be stopped', async () => {
    const moments = secondMoments(ordinary(600, 514, 5), 514);
    const controller = new AbortController();
    const run = inTurns(closedFormSteps({ query: moments, key: moments }), controller.signal);
    // Timers would wait until the end if it did not let them in.
    setTimeout(() => controller.abort(new Error('stopped')), 100);
    await expect(run).rejects.toThrow('stopped');
  });

  it('rotates moments as if every query had been rotated', () => {
    const headDimension = CHANNELS / 2;
    const position = 5;
    const theta = 10000;
    const half = headDimension / 2;
    const angles = Array.from({ length: half }, (_, j) => position * theta ** ((-2 * j) / headDimension));
    const rotated = rotateMoments(
      secondMoments(query, CHANNELS),
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
    expectClose(rotated, secondMoments(turned, CHANNELS));
  });
});

describe('eigenvalues', () => {
  const size = 40;
  const next = lcg(9);
  const random = Float64Array.from({ length: size * size }, next);
  const symmetric = random.map((value, at) => value + random[(at % size) * size + Math.floor(at / size)]!);

  it('of a symmetric matrix make it again with their vectors', () => {
    const { values, vectors } = finish(symmetricEigen(symmetric, size, 'it does not settle'), 20 * size);
    expect([...values]).toEqual([...values].sort((a, b) => b - a));
    for (let i = 0; i < size; i++) {
      for (let j = 0; j < size; j++) {
        let dot = 0;
        let entry = 0;
        for (let k = 0; k < size; k++) {
          dot += vectors[i * size + k]! * vectors[j * size + k]!;
          entry += values[k]! * vectors[k * size + i]! * vectors[k * size + j]!;
        }
        expect(dot).toBeCloseTo(i === j ? 1 : 0, 12);
        expect(entry).toBeCloseTo(symmetric[i * size + j]!, 12);
      }
    }
  });

  it.each([0, 1, 2, 3])('of %i rows', (rows) => {
    const matrix = Float64Array.from({ length: rows * rows }, () => 1);
    const { values } = finish(symmetricEigen(matrix, rows, 'it does not settle'), 20 * rows);
    const wanted = Array.from({ length: rows }, (_, i) => (i === 0 ? rows : 0));
    wanted.forEach((value, i) => {
      expect(values[i]).toBeCloseTo(value, 14);
    });
  });

  it('are those of the second difference', () => {
    const matrix = Float64Array.from({ length: size * size }, (_, at) => {
      const distance = Math.abs((at % size) - Math.floor(at / size));
      return distance === 0 ? 2 : distance === 1 ? -1 : 0;
    });
    const { values } = finish(symmetricEigen(matrix, size, 'it does not settle'), 20 * size);
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(2 + 2 * Math.cos((Math.PI * (i + 1)) / (size + 1)), 13);
    });
  });
});
