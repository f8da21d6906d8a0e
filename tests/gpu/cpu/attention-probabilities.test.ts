/** What recomputes probabilities from a log-sum-exp under a mask: mass by group, the probabilities, and pooled maps. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { TileOrigin } from '../../../gpu/ops';
import { expectClose, input, numbers, output } from './views';

describe.each([createCpuOps(), createCpuOps({ simd: false })])('$description', (ops) => {
  const GUARD = 12345;

  interface Case {
    readonly heads: number;
    readonly keyHeads: number;
    readonly queries: number;
    readonly keys: number;
    readonly channels: number;
    readonly causalOffset: number;
    readonly window?: number;
    readonly softCap?: number;
  }

  /** From the words of gpu/arguments.ts. */
  function isSeen({ causalOffset, window = Number.POSITIVE_INFINITY }: Case, i: number, t: number): boolean {
    return t <= i + causalOffset && t > i + causalOffset - window;
  }

  /** Arguments with gaps, and the probabilities [heads][queries][keys], 0 where unseen. Keys that no query sees are poisoned. */
  function makeCase(a: Case) {
    const { heads, keyHeads, queries, keys, channels, causalOffset, window, softCap } = a;
    const q = numbers(queries + 1, heads * queries * channels);
    const k = numbers(keys + 2, keyHeads * keys * channels);
    const lse = numbers(3, heads * queries);
    const scale = 0.7;
    const probabilities = Array.from({ length: heads }, (_, h) =>
      Array.from({ length: queries }, (_, i) =>
        Array.from({ length: keys }, (_, t) => {
          if (!isSeen(a, i, t)) return 0;
          const g = Math.floor((h * keyHeads) / heads);
          let dot = 0;
          for (let c = 0; c < channels; c++) {
            dot += q[(h * queries + i) * channels + c]! * k[(g * keys + t) * channels + c]!;
          }
          const score = softCap ? softCap * Math.tanh((dot * scale) / softCap) : dot * scale;
          return Math.exp(score - lse[h * queries + i]!);
        }),
      ),
    );
    for (let t = 0; t < keys; t++) {
      if (Array.from({ length: queries }).some((_, i) => isSeen(a, i, t))) continue;
      for (let g = 0; g < keyHeads; g++)
        k.fill(Number.NaN, (g * keys + t) * channels, (g * keys + t + 1) * channels);
    }
    const scalars = input(ops, { heads, rows: 1, channels: queries }, lse);
    return {
      probabilities,
      arguments: {
        query: input(ops, { heads, rows: queries, channels }, q, 'token-major'),
        key: input(ops, { heads: keyHeads, rows: keys, channels }, k),
        scale,
        logSumExp: { buffer: scalars.buffer, offset: scalars.offset, headStride: scalars.headStride },
        causalOffset,
        window,
        softCap,
      },
    };
  }

  const base = { heads: 4, keyHeads: 2, channels: 3 };
  const cases: readonly Case[] = [
    { ...base, queries: 1, keys: 1, causalOffset: 0 },
    { ...base, queries: 9, keys: 9, causalOffset: 0 },
    { ...base, queries: 3, keys: 14, causalOffset: 11 },
    { ...base, queries: 6, keys: 14, causalOffset: 4 },
    { ...base, queries: 6, keys: 5, causalOffset: 100 },
    { ...base, queries: 7, keys: 8, causalOffset: -3 },
    { ...base, queries: 4, keys: 3, causalOffset: -50 },
    { heads: 3, keyHeads: 1, channels: 5, queries: 5, keys: 7, causalOffset: 1 },
    { ...base, queries: 0, keys: 4, causalOffset: 0 },
    ...[0, 1, 2, 4, 5, 9, 100].flatMap((window) => [
      { ...base, queries: 9, keys: 9, causalOffset: 0, window },
      { ...base, queries: 6, keys: 14, causalOffset: 8, window },
      { ...base, queries: 6, keys: 5, causalOffset: 2, window },
      { ...base, queries: 7, keys: 8, causalOffset: -3, window },
      { ...base, queries: 1, keys: 6, causalOffset: 5, window },
    ]),
    { ...base, queries: 5, keys: 0, causalOffset: 0 },
    { ...base, queries: 9, keys: 9, causalOffset: 0, softCap: 0.3 },
    { ...base, queries: 6, keys: 14, causalOffset: 8, window: 4, softCap: 1 },
  ];

  describe.each(cases)(
    '$queries queries, $keys keys, offset $causalOffset, window $window, cap $softCap, $heads heads',
    (a) => {
      const { heads, keyHeads, queries, keys } = a;
      const made = makeCase(a);

      test('attentionProbabilities', async () => {
        const length = heads * queries * keys;
        const out = ops.upload(new Float32Array(length + 1).fill(GUARD), 'out');
        ops.attentionProbabilities({ ...made.arguments, out });
        expectClose(await ops.readFloats(out), [...made.probabilities.flat(2), GUARD], 1e-6);
      });

      test.each([
        [1, false],
        [keyHeads, false],
        [heads, false],
        [1, true],
        [keyHeads, true],
      ])('massByGroup with %i sets, groups by row: %s', async (sets, byRow) => {
        const groups = 3;
        const groupings = 2;
        const groupRows = byRow ? queries : 1;
        const groupOf = Uint32Array.from(numbers(9, groupings * sets * groupRows * keys), (x) =>
          Math.floor((x + 1) * 1.5),
        );
        const want: number[] = [];
        for (let grouping = 0; grouping < groupings; grouping++) {
          made.probabilities.forEach((rows, h) => {
            const set = Math.floor((h * sets) / heads);
            for (const [i, row] of rows.entries()) {
              const mass = [0, 0, 0];
              const groupRow = (grouping * sets + set) * groupRows + (byRow ? i : 0);
              row.forEach((probability, t) => {
                mass[groupOf[groupRow * keys + t]!]! += probability;
              });
              want.push(...mass);
            }
          });
        }
        const out = ops.upload(new Float32Array(want.length + 1).fill(GUARD), 'out');
        const shape = { groupings, sets, groups, byRow, groupOf: ops.upload(groupOf, 'groups') };
        ops.massByGroup({ ...made.arguments, ...shape, out });
        expectClose(await ops.readFloats(out), [...want, GUARD], 1e-5);
      });

      test('attentionTiles, exact and stepped, within the map and across its ends', async () => {
        const tiles = [
          { head: 0, row: 0, key: 0 },
          { head: heads - 1, row: 2, key: 5 },
          { head: 1, row: 0, key: keys },
          { head: 1, row: queries, key: 0 },
          { head: heads - 1, row: Math.max(0, queries - 1), key: 0 },
        ];
        for (const [width, height, tokensPerPixel, rowStep] of [
          [1, 1, 1, 1],
          [3, 2, 1, 1],
          [4, 5, 2, 1],
          [2, 1, 2, 2],
          [3, 1, 4, 2],
          [20, 23, 1, 1],
          [2, 2, 16, 1],
        ] as const) {
          const pixels = { width, height, tokensPerPixel, rowStep };
          const factorOf = (head: number, query: number, key: number): number =>
            key < 3 ? 0.25 : (1 + head + query / 2) / 10;
          const want = tiles.flatMap((tile) =>
            pooled(made.probabilities[tile.head]!, a, tile, pixels, (query, key) =>
              factorOf(tile.head, query, key),
            ),
          );
          const factors = input(
            ops,
            { heads, rows: 1, channels: queries },
            Array.from({ length: heads * queries }, (_, at) =>
              factorOf(Math.floor(at / queries), at % queries, keys + 3),
            ),
          );
          const products = { factors, firstKeys: 3, firstFactor: 0.25 };
          const out = ops.upload(new Float32Array(want.length + 4).fill(GUARD), 'out');
          ops.attentionTiles({ ...made.arguments, ...pixels, ...products, tiles, out, outOffset: 2 });
          const guard = [GUARD, GUARD];
          expectClose(await ops.readFloats(out), [...guard, ...want, ...guard], 1e-6);
        }
      });
    },
  );

  /** Maximum, then mean, then the largest product with a factor, of each pixel. */
  function pooled(
    probabilities: readonly (readonly number[])[],
    a: Case,
    tile: TileOrigin,
    { width, height, tokensPerPixel, rowStep }: Record<string, number>,
    factorOf: (query: number, key: number) => number,
  ): number[] {
    const excess: number[] = [];
    const maximum: number[] = [];
    const mean: number[] = [];
    for (let y = 0; y < height!; y++) {
      for (let x = 0; x < width!; x++) {
        const cells: number[] = [];
        const products: number[] = [];
        for (let r = 0; r < tokensPerPixel!; r += rowStep!) {
          for (let c = 0; c < tokensPerPixel!; c++) {
            const i = tile.row + y * tokensPerPixel! + r;
            const t = tile.key + x * tokensPerPixel! + c;
            if (i >= a.queries || t >= a.keys || !isSeen(a, i, t)) continue;
            cells.push(probabilities[i]![t]!);
            products.push(probabilities[i]![t]! * factorOf(i, t));
          }
        }
        maximum.push(Math.max(0, ...cells));
        excess.push(Math.max(0, ...products));
        mean.push(cells.length ? cells.reduce((sum, probability) => sum + probability, 0) / cells.length : 0);
      }
    }
    return [...maximum, ...mean, ...excess];
  }

  describe('with the log-sum-exp of attention itself', () => {
    test('every row of probabilities sums to 1', async () => {
      const [heads, queries, keys] = [2, 11, 40];
      const query = input(ops, { heads, rows: queries, channels: 8 }, numbers(1, heads * queries * 8));
      const key = input(
        ops,
        { heads, rows: keys, channels: 8 },
        numbers(2, heads * keys * 8).map((x) => 5 * x),
      );
      const lse = output(ops, { heads, rows: 1, channels: queries });
      const logSumExp = { buffer: lse.buffer, offset: lse.offset, headStride: lse.headStride };
      const out = output(ops, { heads, rows: queries, channels: 8 });
      const visible = { range: { start: 0, end: keys, causal: true } };
      ops.attention({ query, key, value: key, scale: 0.5, visible, out, logSumExp });
      const mass = ops.allocate('f32', heads * queries, 'mass');
      ops.massByGroup({
        ...{ query, key, scale: 0.5, logSumExp, causalOffset: keys - queries },
        ...{ groupOf: ops.allocate('u32', keys, 'groups'), groupings: 1, sets: 1, groups: 1, out: mass },
      });
      expectClose(await ops.readFloats(mass), new Array(heads * queries).fill(1), 1e-5);
    });
  });

  test('massByGroup refuses a group that does not exist', () => {
    const made = makeCase({ ...base, queries: 2, keys: 2, causalOffset: 0 });
    const groupOf = ops.upload(Uint32Array.of(0, 3), 'groups');
    const out = ops.allocate('f32', 4 * 2 * 3, 'out');
    expect(() =>
      ops.massByGroup({ ...made.arguments, groupOf, groupings: 1, sets: 1, groups: 3, out }),
    ).toThrow('massByGroup: groupOf holds 3, but there are 3 groups');
  });
});
