import { expect, it } from 'vitest';
import { createRandom } from '../../src/tasks/random';

it('stays in its limits and reaches both ends', () => {
  const random = createRandom(3);
  const drawn = Array.from({ length: 4000 }, () => random.between(2, 6));
  expect(new Set(drawn)).toEqual(new Set([2, 3, 4, 5, 6]));
  const uniform = Array.from({ length: 4000 }, () => random.next());
  expect(Math.min(...uniform)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...uniform)).toBeLessThan(1);
  expect(uniform.reduce((sum, value) => sum + value, 0) / uniform.length).toBeCloseTo(0.5, 1);
});

it('gives neighbouring seeds unrelated first numbers', () => {
  const first = Array.from({ length: 2000 }, (_, seed) => createRandom(seed).next());
  const tenths = new Array<number>(10).fill(0);
  for (const value of first) tenths[Math.floor(value * 10)]! += 1;
  for (const count of tenths) expect(Math.abs(count - 200)).toBeLessThan(70);
});

it('shuffles without losing or changing anything', () => {
  const items = Array.from({ length: 50 }, (_, i) => i);
  const shuffled = createRandom(5).shuffled(items);
  expect(shuffled).not.toEqual(items);
  expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
});
