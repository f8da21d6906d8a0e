import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { VisibleKeys } from '../../../gpu/ops';
import { matrixRows } from '../../../gpu/rows';
import type { Layout } from './views';
import { expectClose, input, numbers, output, take } from './views';

describe.each([createCpuOps(), createCpuOps({ simd: false })])('$description', (ops) => {
  interface Case {
    readonly heads: number;
    readonly keyHeads: number;
    readonly queries: number;
    readonly keys: number;
    readonly channels: number;
    readonly list?: readonly (readonly number[])[];
    readonly range: VisibleKeys['range'];
    readonly layout?: Layout;
    readonly scale?: number;
    readonly softCap?: number;
  }

  /** Keys that query i sees, from the words of gpu/ops.ts. */
  function seenBy(a: Case, head: number, i: number): number[] {
    const lists = a.list ?? [[]];
    const seen = [...lists[Math.floor((head * lists.length) / a.heads)]!];
    for (let t = a.range.start; t < a.range.end; t++) {
      const own = a.range.end - a.queries + i;
      const { window = Number.POSITIVE_INFINITY } = a.range;
      if (!a.range.causal || (t <= own && t > own - window)) seen.push(t);
    }
    return seen;
  }

  function expected(a: Case, q: Float32Array, k: Float32Array, v: Float32Array) {
    const { heads, keyHeads, queries, keys, channels: d, scale = 0.5 } = a;
    const out = new Float64Array(heads * queries * d);
    const lse: number[] = [];
    for (let h = 0; h < heads; h++) {
      const g = Math.floor((h * keyHeads) / heads);
      for (let i = 0; i < queries; i++) {
        const seen = seenBy(a, h, i);
        const scores = seen.map((t) => {
          let dot = 0;
          for (let c = 0; c < d; c++) dot += q[(h * queries + i) * d + c]! * k[(g * keys + t) * d + c]!;
          return a.softCap ? a.softCap * Math.tanh((dot * scale) / a.softCap) : dot * scale;
        });
        const maximum = Math.max(...scores);
        const sum = scores.reduce((s, z) => s + Math.exp(z - maximum), 0);
        lse.push(seen.length ? maximum + Math.log(sum) : Number.NEGATIVE_INFINITY);
        seen.forEach((t, s) => {
          const weight = Math.exp(scores[s]! - maximum) / sum;
          for (let c = 0; c < d; c++) out[(h * queries + i) * d + c]! += weight * v[(g * keys + t) * d + c]!;
        });
      }
    }
    return { out, lse };
  }

  async function check(a: Case, magnitude = 1): Promise<void> {
    const { heads, keyHeads, queries, keys, channels, layout = 'head-major', scale = 0.5 } = a;
    const q = numbers(queries, heads * queries * channels).map((x) => x * magnitude);
    const k = numbers(keys + 1, keyHeads * keys * channels);
    const v = numbers(keys + 2, keyHeads * keys * channels);
    const want = expected(a, q, k, v);
    // What no query sees must not matter: poison it.
    const seen = new Set<number>();
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < queries; i++) for (const t of seenBy(a, h, i)) seen.add(t);
    for (let g = 0; g < keyHeads; g++) {
      for (let t = 0; t < keys; t++) {
        if (seen.has(t)) continue;
        k.fill(Number.NaN, (g * keys + t) * channels, (g * keys + t + 1) * channels);
        v.fill(Number.NaN, (g * keys + t) * channels, (g * keys + t + 1) * channels);
      }
    }
    const lists = a.list ?? [];
    const count = Math.max(0, ...lists.map(({ length }) => length));
    const countsOffset = 3 + lists.length * (count + 1);
    const listData = new Uint32Array(countsOffset + lists.length).fill(0xffffffff);
    lists.forEach((list, s) => {
      listData.set(list, 2 + s * (count + 1));
    });
    const isRagged = lists.some(({ length }) => length !== count);
    if (isRagged)
      listData.set(
        lists.map(({ length }) => length),
        countsOffset,
      );
    const visible = {
      range: a.range,
      list: a.list && {
        buffer: ops.upload(listData, 'list'),
        offset: 2,
        sets: lists.length,
        count,
        rowStride: count + 1,
        ...(isRagged && { countsOffset }),
      },
    };
    const out = output(ops, { heads, rows: queries, channels }, layout);
    const lse = output(ops, { heads, rows: 1, channels: queries });
    ops.attention({
      query: input(ops, { heads, rows: queries, channels }, q, layout),
      key: input(ops, { heads: keyHeads, rows: keys, channels }, k, layout),
      value: input(ops, { heads: keyHeads, rows: keys, channels }, v, layout),
      scale,
      softCap: a.softCap,
      visible,
      out,
      logSumExp: { buffer: lse.buffer, offset: lse.offset, headStride: lse.headStride },
    });
    expectClose(await take(ops, out), want.out, 1e-6);
    expectClose(await take(ops, lse), want.lse, 1e-6 * (1 + magnitude));
  }

  /** `count` ascending indices below `keys`, different for every seed. */
  function someIndices(seed: number, count: number, keys: number): number[] {
    const order = [...numbers(seed, keys)].map((x, t) => [x, t] as const).sort((a, b) => a[0] - b[0]);
    return order
      .slice(0, count)
      .map(([, t]) => t)
      .sort((a, b) => a - b);
  }

  describe('attention', () => {
    const causal = (start: number, end: number) => ({ start, end, causal: true });
    const all = (start: number, end: number) => ({ start, end, causal: false });
    const base = { heads: 4, keyHeads: 2, channels: 6 };

    test.each([1, 2, 3, 4, 5, 7, 8, 9, 31])('causal prompt of %i tokens', (n) =>
      check({ ...base, queries: n, keys: n, range: causal(0, n) }),
    );

    test.each([1, 3, 4, 9])('%i queries with a soft cap, beside a list and in a window', async (n) => {
      await check({ ...base, queries: n, keys: 21, range: causal(2, 20), softCap: 0.4 });
      await check({ ...base, queries: n, keys: 21, range: causal(9, 20), list: [[0, 3, 5]], softCap: 2 });
      await check({ ...base, queries: n, keys: 40, range: { ...causal(0, 40), window: 5 }, softCap: 1 });
    });

    test('scores far beyond a soft cap are the cap', () =>
      check({ ...base, queries: 4, keys: 9, range: all(0, 9), softCap: 5 }, 3000));

    test.each([1, 3, 4, 6])('the last %i of 21 tokens, from key 2 on', (n) =>
      check({ ...base, queries: n, keys: 21, range: causal(2, 20), layout: 'token-major' }),
    );

    test.each([1, 3, 4, 5])('%i queries over blocks of keys and their seams', async (n) => {
      for (const keys of [127, 128, 129, 257])
        await check({ ...base, queries: n, keys, range: causal(0, keys) });
    });

    test.each([1, 2, 3, 4, 5, 8])('%i channels', (channels) =>
      check({ ...base, channels, queries: 6, keys: 11, range: all(1, 10) }),
    );

    test.each([1, 2, 4])('a list of %i sets, then a causal range', (sets) =>
      check({
        ...base,
        queries: 5,
        keys: 40,
        list: Array.from({ length: sets }, (_, s) => someIndices(s + 1, 7, 20)),
        range: causal(25, 38),
      }),
    );

    test.each([
      ['two', [9, 4]],
      ['two, one of them empty', [0, 7]],
      ['one for every head', [5, 0, 11, 1]],
      ['one for every head, over a seam of blocks', [130, 128, 3, 127]],
    ])('lists of different lengths: %s', async (_, lengths) => {
      const list = lengths.map((length, s) => someIndices(s + 1, length, 150));
      await check({ ...base, queries: 5, keys: 170, list, range: causal(155, 168) });
      await check({ ...base, queries: 1, keys: 170, list, range: causal(155, 168) });
      await check({ ...base, queries: 6, keys: 170, list, range: all(0, 0) });
      await check({ ...base, queries: 7, keys: 170, list, range: causal(166, 169) });
    });

    test.each([0, 1, 2, 3, 4, 5, 8, 30, 1000])('a window of %i', async (window) => {
      const ofWindow = (start: number, end: number) => ({ ...causal(start, end), window });
      for (const queries of [1, 2, 4, 5, 9, 21])
        await check({ ...base, queries, keys: 21, range: ofWindow(0, 21) });
      const list = [someIndices(1, 7, 20), someIndices(2, 3, 20)];
      for (const queries of [1, 5, 14]) {
        await check({ ...base, queries, keys: 40, list, range: ofWindow(22, 37) });
        await check({ ...base, queries, keys: 40, list: [[]], range: ofWindow(22, 37) });
      }
      await check({ ...base, queries: 9, keys: 9, range: ofWindow(4, 8) });
    });

    test.each([100, 127, 128, 129, 500])('a window of %i over seams of blocks', async (window) => {
      const range = { ...causal(3, 600), window };
      await check({ ...base, queries: 5, keys: 600, range });
      await check({ ...base, queries: 597, keys: 600, range });
    });

    test('a key before the window cannot leak NaN into the queries behind it', async () => {
      const n = 14;
      const one = { heads: 1, rows: n, channels: 2 };
      for (const bad of [0, 4, 5, 7]) {
        const k = numbers(1, n * 2);
        const v = numbers(2, n * 2);
        k[bad * 2] = Number.NaN;
        v[bad * 2] = Number.NaN;
        const out = output(ops, one);
        ops.attention({
          query: input(ops, one, numbers(3, n * 2)),
          key: input(ops, one, k),
          value: input(ops, one, v),
          scale: 1,
          visible: { range: { ...causal(0, n), window: 3 } },
          out,
        });
        const isBad = (await take(ops, out)).filter((_, i) => i % 2 === 0).map(Number.isNaN);
        expect(isBad).toEqual(Array.from({ length: n }, (_, i) => i >= bad && i < bad + 3));
      }
    });

    test('a list alone, an empty list, an empty list of every head', async () => {
      const list = [someIndices(3, 9, 30)];
      await check({ ...base, queries: 5, keys: 30, list, range: all(0, 0) });
      await check({ ...base, queries: 5, keys: 30, list: [[]], range: causal(10, 30) });
      await check({ ...base, queries: 5, keys: 30, list: [[], [], [], []], range: causal(10, 30) });
    });

    test('more queries than keys in the range: the first see the list only, or nothing', async () => {
      await check({ ...base, queries: 7, keys: 9, range: causal(4, 8) });
      await check({ ...base, queries: 7, keys: 9, list: [[0, 2]], range: causal(5, 8) });
    });

    test('nothing visible gives zeros and −∞, no key rows too', async () => {
      await check({ ...base, queries: 5, keys: 3, range: all(2, 2) });
      await check({ ...base, queries: 5, keys: 0, range: all(0, 0) });
    });

    test('one query head per key head, and one key head for all', async () => {
      await check({ heads: 3, keyHeads: 3, channels: 4, queries: 5, keys: 9, range: causal(0, 9) });
      await check({ heads: 6, keyHeads: 1, channels: 4, queries: 5, keys: 9, range: causal(0, 9) });
    });

    test('scores far beyond the range of exp', () =>
      check({ ...base, queries: 5, keys: 30, range: causal(0, 30), scale: 1 }, 3000));

    test('no queries or no heads write nothing', () => {
      const nothing = matrixRows(ops.allocate('f32', 0, 'nothing'), 0, 4);
      const visible = { range: all(0, 0) };
      ops.attention({ query: nothing, key: nothing, value: nothing, scale: 1, visible, out: nothing });
    });

    test('a masked key cannot leak NaN into the query before it', async () => {
      const n = 9;
      const one = { heads: 1, rows: n, channels: 2 };
      const k = numbers(1, n * 2);
      const v = numbers(2, n * 2);
      k[8 * 2] = Number.NaN;
      v[8 * 2] = Number.NaN;
      const out = output(ops, one);
      ops.attention({
        query: input(ops, one, numbers(3, n * 2)),
        key: input(ops, one, k),
        value: input(ops, one, v),
        scale: 1,
        visible: { range: causal(0, n) },
        out,
      });
      const values = await take(ops, out);
      expect(values.slice(0, 16).every(Number.isFinite)).toBe(true);
      expect(values[16]).toBeNaN();
    });

    test('a list that is longer than the longest is refused', () => {
      const one = { heads: 1, rows: 2, channels: 2 };
      const view = input(ops, one, numbers(1, 4));
      const buffer = ops.upload(Uint32Array.of(0, 1, 2), 'list');
      const list = { buffer, offset: 0, sets: 1, count: 1, rowStride: 1, countsOffset: 2 };
      const visible = { list, range: all(0, 0) };
      expect(() =>
        ops.attention({ query: view, key: view, value: view, scale: 1, visible, out: output(ops, one) }),
      ).toThrow('attention: list 0 has 2 entries, more than the 1 of the longest');
    });

    test('a list that names a row beyond the keys is refused', () => {
      const one = { heads: 1, rows: 2, channels: 2 };
      const view = input(ops, one, numbers(1, 4));
      const buffer = ops.upload(Uint32Array.of(2), 'list');
      const list = { buffer, offset: 0, sets: 1, count: 1, rowStride: 1 };
      const visible = { list, range: all(0, 0) };
      expect(() =>
        ops.attention({ query: view, key: view, value: view, scale: 1, visible, out: output(ops, one) }),
      ).toThrow('attention: visible.list names row 2 of 2');
    });
  });

  describe('mergeAttention', () => {
    test('parts over disjoint keys give the attention over all', async () => {
      const heads = 3;
      const shape = { heads, rows: 5, channels: 3 };
      const keys = { heads, rows: 12, channels: 3 };
      const inputs = {
        query: input(
          ops,
          shape,
          numbers(1, 45).map((x) => 30 * x),
        ),
        key: input(ops, keys, numbers(2, 108), 'token-major'),
        value: input(ops, keys, numbers(3, 108), 'token-major'),
        scale: 1,
      };
      const run = (start: number, end: number) => {
        const out = output(ops, shape, 'token-major');
        const lse = output(ops, { heads, rows: 1, channels: 5 });
        const logSumExp = { buffer: lse.buffer, offset: lse.offset, headStride: lse.headStride };
        ops.attention({ ...inputs, visible: { range: { start, end, causal: false } }, out, logSumExp });
        return { out, lse, logSumExp };
      };
      const whole = run(0, 12);
      const into = run(4, 4);
      for (const part of [run(0, 5), run(6, 6), run(5, 12)]) {
        const before = [await take(ops, part.out), await take(ops, part.lse)];
        ops.mergeAttention({ into, from: part });
        expect([await take(ops, part.out), await take(ops, part.lse)]).toEqual(before);
      }
      expectClose(await take(ops, into.out), await take(ops, whole.out), 1e-6);
      expectClose(await take(ops, into.lse), await take(ops, whole.lse), 1e-5);
    });

    test('two empty parts stay empty', async () => {
      const part = () => {
        const out = matrixRows(ops.allocate('f32', 2, 'o'), 1, 2);
        const buffer = ops.upload(Float32Array.of(Number.NEGATIVE_INFINITY), 'λ');
        return { out, logSumExp: { buffer, offset: 0, headStride: 1 } };
      };
      const into = part();
      ops.mergeAttention({ into, from: part() });
      expect([...(await ops.readFloats(into.out.buffer))]).toEqual([0, 0]);
      expect([...(await ops.readFloats(into.logSumExp.buffer))]).toEqual([Number.NEGATIVE_INFINITY]);
    });
  });
});
