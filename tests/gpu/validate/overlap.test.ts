import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Rows } from '../../../gpu/rows';
import { checkApart, checkSameOrApart, viewsOverlap } from '../../../gpu/validate';

const buffer = { type: 'f32', length: 1000, label: 'shared' } as const;
const count = fc.integer({ min: 0, max: 4 });
const view: fc.Arbitrary<Rows> = fc.record({
  buffer: fc.constant(buffer),
  offset: fc.integer({ min: 0, max: 30 }),
  heads: count,
  rows: count,
  channels: count,
  headStride: fc.integer({ min: 0, max: 12 }),
  rowStride: fc.integer({ min: 0, max: 12 }),
});

function elements(a: Rows): Set<number> {
  const set = new Set<number>();
  for (let h = 0; h < a.heads; h++) {
    for (let r = 0; r < a.rows; r++) {
      for (let c = 0; c < a.channels; c++) set.add(a.offset + h * a.headStride + r * a.rowStride + c);
    }
  }
  return set;
}

describe('overlap', () => {
  test('two views overlap if they share an element', () => {
    fc.assert(
      fc.property(view, view, (a, b) => {
        const shared = [...elements(a)].some((x) => elements(b).has(x));
        expect(viewsOverlap(a, b)).toBe(shared);
      }),
      { numRuns: 2000, seed: 1 },
    );
  });

  test('other buffers never do', () => {
    const a = { buffer, offset: 0, heads: 1, rows: 2, channels: 2, headStride: 4, rowStride: 2 };
    const b = { ...a, buffer: { ...buffer } };
    expect(viewsOverlap(a, a)).toBe(true);
    expect(viewsOverlap(a, b)).toBe(false);
  });

  test('the same view may be allowed, a shifted one never', () => {
    const a = { buffer, offset: 0, heads: 1, rows: 2, channels: 2, headStride: 4, rowStride: 2 };
    const shifted = { ...a, offset: 1 };
    const otherOrder = { ...a, heads: 2, rows: 1, headStride: 2 };
    checkSameOrApart('gate', 'out', a, 'up', a);
    checkSameOrApart('gate', 'out', a, 'up', { ...a, offset: 4 });
    expect(() => checkSameOrApart('gate', 'out', shifted, 'up', a)).toThrow(
      'gate: out must be up itself or not overlap it (shared)',
    );
    expect(() => checkSameOrApart('gate', 'out', otherOrder, 'up', { ...a, rowStride: 3 })).toThrow(
      'gate: out',
    );
    expect(() => checkApart('matmul', 'out', a, 'weight', a)).toThrow(
      'matmul: out must not overlap weight (shared)',
    );
  });
});
