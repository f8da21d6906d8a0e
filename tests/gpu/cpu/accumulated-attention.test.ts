/** Attention received by the keys of a list and a range, from the words of gpu/operations/accumulated-attention/op.ts. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { VisibleKeys } from '../../../gpu/ops';
import { expectClose, input, numbers, output, take } from './views';

interface Case {
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly channels: number;
  readonly list?: readonly (readonly number[])[];
  readonly range: VisibleKeys['range'];
}

describe.each([createCpuOps(), createCpuOps({ simd: false })])('$description', (ops) => {
  async function check(a: Case, rowsPer: 'group' | 'head' = 'group', accumulate = false): Promise<void> {
    const { heads, keyHeads, queries, keys, channels, range } = a;
    const lists = a.list ?? [[]];
    const q = numbers(1, heads * queries * channels);
    const k = numbers(2, keyHeads * keys * channels);
    const lse = numbers(3, heads * queries);
    const rows = rowsPer === 'head' ? heads : keyHeads;
    const before = numbers(4, rows * keys);
    const want = accumulate ? Float64Array.from(before) : new Float64Array(rows * keys);
    const seenByAny = new Set<number>();
    for (let h = 0; h < heads; h++) {
      const list = lists[Math.floor((h * lists.length) / heads)]!;
      for (let i = 0; i < queries; i++) {
        const own = range.end - queries + i;
        const isSeen = (t: number): boolean =>
          list.includes(t) ||
          (t >= range.start &&
            t < range.end &&
            (!range.causal || (t <= own && t > own - (range.window ?? Number.POSITIVE_INFINITY))));
        for (let t = 0; t < keys; t++) {
          if (!isSeen(t)) continue;
          seenByAny.add(t);
          const g = Math.floor((h * keyHeads) / heads);
          let dot = 0;
          for (let c = 0; c < channels; c++) {
            dot += q[(h * queries + i) * channels + c]! * k[(g * keys + t) * channels + c]!;
          }
          want[(rowsPer === 'head' ? h : g) * keys + t]! += Math.exp(0.7 * dot - lse[h * queries + i]!);
        }
      }
    }
    for (let t = 0; t < keys; t++) {
      if (seenByAny.has(t)) continue;
      for (let g = 0; g < keyHeads; g++)
        k.fill(Number.NaN, (g * keys + t) * channels, (g * keys + t + 1) * channels);
    }
    const count = Math.max(...lists.map(({ length }) => length));
    const countsOffset = 1 + lists.length * (count + 1);
    const data = new Uint32Array(countsOffset + lists.length).fill(0xffffffff);
    for (const [s, list] of lists.entries()) data.set(list, 1 + s * (count + 1));
    const isRagged = lists.some(({ length }) => length !== count);
    if (isRagged)
      data.set(
        lists.map(({ length }) => length),
        countsOffset,
      );
    const scalars = input(ops, { heads, rows: 1, channels: queries }, lse);
    const out = output(
      ops,
      { heads: 1, rows, channels: keys },
      'head-major',
      accumulate ? before : undefined,
    );
    ops.accumulatedAttention({
      query: input(ops, { heads, rows: queries, channels }, q, 'token-major'),
      key: input(ops, { heads: keyHeads, rows: keys, channels }, k),
      scale: 0.7,
      logSumExp: { buffer: scalars.buffer, offset: scalars.offset, headStride: scalars.headStride },
      visible: {
        range,
        list: a.list && {
          ...{
            buffer: ops.upload(data, 'lists'),
            offset: 1,
            sets: lists.length,
            count,
            rowStride: count + 1,
          },
          ...(isRagged && { countsOffset }),
        },
      },
      out: { ...out, length: keys },
      accumulate,
    });
    expectClose(await take(ops, out), want, 2e-5);
  }

  const base = { heads: 4, keyHeads: 2, channels: 5 };
  const causal = (start: number, end: number, window?: number) => ({ start, end, causal: true, window });
  const all = (start: number, end: number) => ({ start, end, causal: false });

  test.each<[string, Case]>([
    ['one key', { ...base, queries: 1, keys: 1, range: causal(0, 1) }],
    ['a prompt', { ...base, queries: 9, keys: 9, range: causal(0, 9) }],
    ['the last queries', { ...base, queries: 6, keys: 14, range: causal(0, 14) }],
    ['a part of the keys', { ...base, queries: 6, keys: 14, range: causal(3, 11) }],
    ['keys that all see', { ...base, queries: 6, keys: 14, range: all(2, 14) }],
    ['one query', { ...base, queries: 1, keys: 14, range: all(0, 14) }],
    ['one query of a part', { ...base, queries: 1, keys: 14, range: causal(4, 13) }],
    ['more queries than keys', { ...base, queries: 9, keys: 6, range: causal(1, 5) }],
    ['nothing', { ...base, queries: 5, keys: 6, range: all(3, 3) }],
    ['no queries', { ...base, queries: 0, keys: 6, range: causal(0, 6) }],
    ['no keys', { ...base, queries: 5, keys: 0, range: causal(0, 0) }],
    ['one head of keys', { heads: 3, keyHeads: 1, channels: 3, queries: 5, keys: 7, range: causal(0, 7) }],
    ['a window', { ...base, queries: 9, keys: 20, range: causal(2, 19, 4) }],
    ['a window of one query', { ...base, queries: 1, keys: 20, range: causal(2, 19, 4) }],
    ['a list', { ...base, queries: 6, keys: 20, list: [[0, 3, 4, 9]], range: causal(12, 20) }],
    ['a list alone', { ...base, queries: 6, keys: 20, list: [[0, 3, 4, 19]], range: all(0, 0) }],
    ['an empty list', { ...base, queries: 6, keys: 20, list: [[]], range: causal(12, 20) }],
    [
      'a list for each head of keys',
      {
        ...base,
        queries: 5,
        keys: 20,
        list: [
          [0, 3],
          [1, 9],
        ],
        range: causal(12, 20),
      },
    ],
    [
      'a list for each head',
      {
        ...base,
        queries: 5,
        keys: 20,
        list: [
          [0, 3],
          [3, 9],
          [1, 2],
          [0, 11],
        ],
        range: causal(12, 20, 3),
      },
    ],
    [
      'lists of different lengths',
      { ...base, queries: 5, keys: 20, list: [[0, 3, 7, 8, 9, 10], [3], [], [0, 11]], range: causal(12, 20) },
    ],
    ['lists of one query', { ...base, queries: 1, keys: 20, list: [[0, 3, 7], [5]], range: causal(12, 20) }],
  ])('%s', async (_, a) => {
    for (const rowsPer of ['group', 'head'] as const) {
      for (const accumulate of [false, true]) await check(a, rowsPer, accumulate);
    }
  });

  test('a list that names a row beyond the keys is refused', () => {
    const view = input(ops, { heads: 1, rows: 2, channels: 2 }, numbers(1, 4));
    const list = {
      buffer: ops.upload(Uint32Array.of(2), 'list'),
      offset: 0,
      sets: 1,
      count: 1,
      rowStride: 1,
    };
    const out = { ...output(ops, { heads: 1, rows: 1, channels: 2 }), length: 2 };
    const logSumExp = { buffer: ops.allocate('f32', 2, 'sums'), offset: 0, headStride: 2 };
    const inputs = { query: view, key: view, scale: 1, logSumExp, out };
    expect(() => ops.accumulatedAttention({ ...inputs, visible: { list, range: all(0, 0) } })).toThrow(
      'accumulatedAttention: visible.list names row 2 of 2',
    );
  });
});
