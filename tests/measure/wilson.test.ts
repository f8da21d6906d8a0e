import { expect, it } from 'vitest';
import { wilsonInterval } from '../../src/measure/wilson';

// Computed by Wilson's formula in Python, z the 0.975 quantile of the normal distribution.
it.each([
  [8, 10, 0.4901624715366418, 0.9433178485456248],
  [127, 200, 0.566317026527406, 0.698594735350732],
  [0, 200, 0, 0.018845326377266575],
])('Wilson’s interval of %i in %i', (successes, trials, low, high) => {
  const interval = wilsonInterval(successes, trials);
  expect(interval.low).toBeCloseTo(low, 12);
  expect(interval.high).toBeCloseTo(high, 12);
});

it('says nothing of no trials', () => {
  expect(wilsonInterval(0, 0)).toEqual({ low: 0, high: 1 });
});
