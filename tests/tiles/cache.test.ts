import { describe, expect, test } from 'vitest';
import { TileCache } from '../../src/tiles/cache';

const open = (budget: number) => new TileCache<string>(budget, (value) => value.length);

describe('a cache of tiles', () => {
  test('holds what fits its budget; what was used longest ago goes first', () => {
    const cache = open(10);
    cache.set('a', 'aaaa');
    cache.set('b', 'bbbb');
    expect(cache.bytes).toBe(8);
    expect(cache.get('a')).toBe('aaaa');
    cache.set('c', 'cccc');
    expect([cache.peek('a'), cache.peek('b'), cache.peek('c')]).toEqual(['aaaa', undefined, 'cccc']);
    expect([cache.bytes, cache.size]).toEqual([8, 2]);
  });

  test('looking without using does not keep', () => {
    const cache = open(8);
    cache.set('a', 'aaaa');
    cache.set('b', 'bbbb');
    expect(cache.peek('a')).toBe('aaaa');
    cache.set('c', 'cccc');
    expect(cache.peek('a')).toBeUndefined();
  });

  test('a new value under the same key counts once, with its own size', () => {
    const cache = open(10);
    cache.set('a', 'aaaaaa');
    cache.set('a', 'aa');
    expect(cache.bytes).toBe(2);
    cache.set('b', 'bbbbbbbb');
    expect([cache.bytes, cache.size]).toEqual([10, 2]);
  });

  test('several go at once for a large one, which stays even if it alone is too large', () => {
    const cache = open(10);
    for (const key of ['a', 'b', 'c']) cache.set(key, 'xxx');
    cache.set('d', 'x'.repeat(8));
    expect(cache.size).toBe(1);
    cache.set('e', 'x'.repeat(11));
    expect([cache.size, cache.bytes]).toEqual([1, 11]);
    cache.set('f', 'x');
    expect([cache.size, cache.bytes, cache.peek('f')]).toEqual([1, 1, 'x']);
  });

  test('forgets on demand', () => {
    const cache = open(10);
    cache.set('a', 'aaaa');
    cache.delete('b');
    cache.delete('a');
    expect([cache.bytes, cache.size]).toEqual([0, 0]);
    cache.set('a', 'aaaa');
    cache.clear();
    expect([cache.bytes, cache.get('a')]).toEqual([0, undefined]);
  });
});
