import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatMilliseconds,
  formatNats,
  formatNumber,
  formatOperations,
  formatPercent,
  formatRank,
  formatRatio,
  formatScore,
  formatTimes,
  formatWeight,
} from '../../components/shared/format';

/** What a reader takes the text for: digits, the unit's power of ten, percent. */
function read(text: string): number {
  const parts = /^([+−]?)([\d,]*\.?\d+)(?:\u00a0?(k|M|G|T|P)?(B|%|×|nats|ms|s)?)$/.exec(text);
  if (!parts) throw new Error(`"${text}" cannot be read`);
  const [, sign, digits, prefix = '', unit = ''] = parts;
  const power = { '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, P: 1e15 }[prefix]!;
  const scale = unit === '%' ? 0.01 : unit === 's' ? 1000 : 1;
  return (sign === '−' ? -1 : 1) * Number(digits!.replaceAll(',', '')) * power * scale;
}

/** Every size between the limits alike, and numbers close to where digits or units change. */
const size = fc
  .oneof(
    fc.double({ min: -4, max: 15, noNaN: true }).map((exponent) => 10 ** exponent),
    fc
      .tuple(fc.integer({ min: -3, max: 14 }), fc.double({ min: 0.99, max: 1.01, noNaN: true }))
      .map(([exponent, factor]) => factor * 10 ** exponent),
    fc.integer({ min: 1, max: 999 }).chain((count) => fc.constantFrom(count, count * 1000, count * 1e6)),
  )
  .filter((value) => value >= 1e-4 && value < 1e15);
const signed = fc.tuple(size, fc.boolean()).map(([value, isNegative]) => (isNegative ? -value : value));

function expectExact(text: string, value: number): void {
  expect(text).not.toMatch(/e[+−-]?\d/);
  const error = Math.abs(read(text) - value);
  expect(error, `${text} for ${value}`).toBeLessThanOrEqual(0.01 * Math.abs(value));
}

describe('what is written is within a hundredth of the value, without an exponent', () => {
  it.each<[string, (value: number) => string, fc.Arbitrary<number>]>([
    ['numbers', formatNumber, signed],
    ['operations', formatOperations, size],
    ['bytes', formatBytes, size],
    ['times', formatTimes, size],
    ['milliseconds', formatMilliseconds, size],
    ['nats', formatNats, signed],
    ['signed nats', (value) => formatNats(value, true), signed],
    ['scores', formatScore, signed],
    ['weights', formatWeight, fc.double({ min: 1e-4, max: 1, noNaN: true })],
    ['percentages', formatPercent, fc.double({ min: 1e-4, max: 1, noNaN: true })],
    ['counts', formatCount, fc.integer({ min: 1, max: 1e14 })],
  ])('%s', (_, format, values) => {
    fc.assert(
      fc.property(values, (value) => expectExact(format(value), value)),
      { numRuns: 2000 },
    );
  });

  it.each<[string, string]>([
    [formatBytes(600_064), '600\u00a0kB'],
    [formatBytes(700_416), '700\u00a0kB'],
    [formatBytes(340e6), '340\u00a0MB'],
    [formatOperations(800_000), '800\u00a0k'],
    [formatOperations(999_600), '1\u00a0M'],
    [formatOperations(340e6), '340\u00a0M'],
    [formatBytes(999_499), '999\u00a0kB'],
    [formatMilliseconds(99.7), '99.7\u00a0ms'],
    [formatMilliseconds(999.6), '1\u00a0s'],
    [formatTimes(99.7), '99.7×'],
    [formatPercent(0.266), '26.6\u00a0%'],
    [formatPercent(0.99985), '99.9\u00a0%'],
    [formatPercent(1), '100\u00a0%'],
    [formatPercent(0), '0\u00a0%'],
    [formatNats(-7.39, true), '−7.39\u00a0nats'],
    [formatNats(0.05512, true), '+0.0551\u00a0nats'],
    [formatWeight(3.123e-5), '3.12e−5'],
    [formatScore(-25.546923), '−25.55'],
    [formatNumber(Number.NaN), '–'],
    [formatCount(-1234.4), '−1,234'],
    ...[1, 2, 3, 4, 11, 12, 13, 21, 102, 113, 1023].map((rank, at): [string, string] => [
      formatRank(rank),
      '1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 113th 1,023rd'.split(' ')[at]!,
    ]),
  ])('%s', (text, expected) => {
    expect(text).toBe(expected);
  });
});

describe('a ratio', () => {
  it('is never once as many', () => {
    fc.assert(
      fc.property(size, (ratio) => {
        const { value, word } = formatRatio(ratio, ['fewer', 'more']);
        if (value === 'as many') {
          expect(Math.abs(ratio - 1)).toBeLessThan(0.006);
          return;
        }
        expect(value).not.toBe('1×');
        expect(word).toBe(ratio >= 1 ? 'fewer' : 'more');
        expectExact(value, ratio >= 1 ? ratio : 1 / ratio);
      }),
      { numRuns: 2000 },
    );
    expect(formatRatio(1.004, ['fewer', 'more'])).toEqual({ value: 'as many', word: '' });
  });
});
