import { describe, expect, it } from 'vitest';
import { unrollLoops } from '../../../gpu/webgpu/unroll';

const words = (code: string) => code.replaceAll(/\s+/g, ' ').trim();

describe('unrolled loops', () => {
  it('are written out, from inside to outside, with their counters replaced', () => {
    const code = `before;
for (var r = 0u; r < ROWS; r++) { // unrolled
  a[r] = vec.r; // about r
  for (var c = 0u; c < 2u * COLUMNS; c++) { // unrolled
    if (c > r) { b[r * 3u + c] = row; }
  }
}
after;`;
    expect(words(unrollLoops(code, { ROWS: 2, COLUMNS: 1 }).replace('// about 0u', ''))).toBe(
      'before; ' +
        '{ a[0u] = vec.r; { if (0u > 0u) { b[0u * 3u + 0u] = row; } } { if (1u > 0u) { b[0u * 3u + 1u] = row; } } } ' +
        '{ a[1u] = vec.r; { if (0u > 1u) { b[1u * 3u + 0u] = row; } } { if (1u > 1u) { b[1u * 3u + 1u] = row; } } } ' +
        'after;',
    );
  });

  it('keep the lines of what follows', () => {
    const code = 'for (var i = 0u; i < N; i++) { // unrolled\n  a[i];\n  b;\n}\nlast';
    const lines = unrollLoops(code, { N: 3 }).split('\n');
    expect(lines).toHaveLength(5);
    expect(lines[4]).toBe('last');
  });

  it('may run not at all; loops without the mark are left alone', () => {
    expect(words(unrollLoops('a; for (var i = 0u; i < N; i++) { // unrolled\n b; } c;', { N: 0 }))).toBe(
      'a; c;',
    );
    const plain = 'for (var i = 0u; i < N; i++) { b; }';
    expect(unrollLoops(plain, {})).toBe(plain);
  });

  it('need a bound that is known', () => {
    const code = 'for (var i = 0u; i < rows; i++) { // unrolled\n}';
    expect(() => unrollLoops(code, {})).toThrow('ends at rows: rows is no number');
  });
});
