import { describe, expect, it } from 'vitest';
import { boundsOf, measurementHeader, measurementLine } from '../../bench/report';
import { threeDigits } from '../../bench/table';

const peak = { flopsPerSecond: 50e12, bytesPerSecond: 2e12 };
const measurement = { name: 'matmul', size: '2 × 3 over 4', milliseconds: 2, flops: 25e9, bytes: 1e9 };

describe('boundsOf', () => {
  it('says which of operations and bytes binds', () => {
    expect(boundsOf(measurement, peak)).toEqual({ operationsMs: 0.5, bytesMs: 0.5, binding: 'ops' });
    expect(boundsOf({ flops: 25e9, bytes: 4e9 }, peak)).toMatchObject({ bytesMs: 2, binding: 'bytes' });
  });
});

describe('measurementLine', () => {
  it('has times, both bounds, throughputs and shares under their titles', () => {
    const cells = measurementLine(measurement, peak).split(/\s{2,}/);
    expect(cells).toEqual([
      'matmul',
      '2 × 3 over 4',
      '2.00',
      '0.500',
      '0.500',
      'ops',
      '12500',
      '25.0 %',
      '500',
      '25.0 %',
    ]);
    expect(measurementHeader().indexOf('bytes ms')).toBeGreaterThan(measurementHeader().indexOf('ops ms'));
  });

  it('leaves out what is not counted or not known', () => {
    const counted = measurementLine({ ...measurement, flops: 0 }, peak).split(/\s{2,}/);
    expect(counted.slice(2)).toEqual(['2.00', '–', '0.500', 'bytes', '–', '–', '500', '25.0 %']);
    const unknown = measurementLine(measurement).split(/\s{2,}/);
    expect(unknown.slice(2)).toEqual(['2.00', '–', '–', '–', '12500', '–', '500', '–']);
  });
});

describe('threeDigits', () => {
  it.each([
    [0, '0.00'],
    [0.00000366, '3.66e-6'],
    [0.0012345, '0.00123'],
    [12.345, '12.3'],
    [44912.3, '44912'],
    [1.5e7, '1.50e+7'],
  ])('%f → %s', (value, text) => {
    expect(threeDigits(value)).toBe(text);
  });
});
