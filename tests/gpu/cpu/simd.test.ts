/** Matmul and attention on WebAssembly SIMD against the plain TypeScript, at the seams of tiles and blocks, with guards around every view. */
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import wabt from 'wabt';
import { createCpuOps } from '../../../gpu/cpu';
import { KERNELS } from '../../../gpu/cpu/simd/kernels';
import type { Ops } from '../../../gpu/ops';
import { expectNear, input, type Layout, numbers, output, take } from './views';

const simd = createCpuOps();
const reference = createCpuOps({ simd: false });

test('the committed kernels are the assembled source', async () => {
  const path = new URL('../../../gpu/cpu/simd/kernels.wat', import.meta.url);
  const module = (await wabt()).parseWat('kernels.wat', readFileSync(path, 'utf8'), { simd: true });
  const assembled = Buffer.from(module.toBinary({}).buffer).toString('base64');
  expect(KERNELS, 'run: node scripts/assemble.mjs').toBe(assembled);
});

test('the description says which of the two runs', () => {
  expect(simd.description).toBe('CPU, WebAssembly SIMD');
  expect(reference.description).toBe('CPU, plain TypeScript');
});

describe('where there is no WebAssembly SIMD', () => {
  afterEach(() => void vi.unstubAllGlobals());

  test.each([
    ['no WebAssembly', undefined],
    ['no SIMD', { validate: (): boolean => false }],
    [
      'no permission to compile',
      {
        validate: (): boolean => true,
        Module: class {
          constructor() {
            throw new Error('forbidden');
          }
        },
      },
    ],
  ])('plain TypeScript computes: %s', async (_, stub) => {
    vi.stubGlobal('WebAssembly', stub);
    const ops = createCpuOps();
    expect(ops.description).toBe('CPU, plain TypeScript');
    const matrix = input(ops, { heads: 1, rows: 9, channels: 9 }, numbers(1, 81));
    const out = output(ops, { heads: 1, rows: 9, channels: 9 });
    ops.matmul({ input: matrix, weight: matrix, out });
    expect((await take(ops, out)).every(Number.isFinite)).toBe(true);
  });
});

describe('matmul', () => {
  const sizes = [1, 2, 3, 5, 8, 9, 31, 33, 65].flatMap((rows) =>
    [1, 2, 3, 5, 17, 64].flatMap((channels) => [1, 7, 8, 33].map((columns) => [rows, channels, columns])),
  );
  const blocks = [
    // More than a sum, than a block of inputs, than a block of weights.
    [9, 257, 10],
    [8, 4097, 37],
    [350, 192, 9],
    [8, 5, 14_001],
  ];

  async function run(ops: Ops, [rows, channels, columns]: number[], accumulate: boolean, biased: boolean) {
    const shape = { heads: 1, rows: rows!, channels: columns! };
    const out = output(ops, shape, 'head-major', numbers(4, rows! * columns!));
    ops.matmul({
      input: input(ops, { heads: 1, rows: rows!, channels: channels! }, numbers(1, rows! * channels!)),
      weight: input(ops, { heads: 1, rows: columns!, channels: channels! }, numbers(2, columns! * channels!)),
      bias: biased ? ops.upload(numbers(3, columns!), 'bias') : undefined,
      out,
      accumulate,
    });
    return take(ops, out);
  }

  test.each([...sizes, ...blocks])('%i rows of %i channels against %i', async (...size) => {
    for (const [accumulate, biased] of [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ] as const) {
      const expected = await run(reference, size, accumulate, biased);
      expectNear(await run(simd, size, accumulate, biased), expected, 2e-6);
    }
  });

  test('infinity and NaN stay in their row and column', async () => {
    const x = numbers(3, 10 * 3);
    const w = numbers(4, 9 * 3);
    x[1 * 3] = Number.NaN;
    w[8 * 3] = Number.POSITIVE_INFINITY;
    const results = [reference, simd].map(async (ops) => {
      const out = output(ops, { heads: 1, rows: 10, channels: 9 });
      const weight = input(ops, { heads: 1, rows: 9, channels: 3 }, w);
      ops.matmul({ input: input(ops, { heads: 1, rows: 10, channels: 3 }, x), weight, out });
      return take(ops, out);
    });
    expectNear(await results[1]!, await results[0]!, 1e-6);
  });
});

interface Case {
  readonly heads: number;
  readonly keyHeads: number;
  readonly queries: number;
  readonly keys: number;
  readonly channels: number;
  readonly start?: number;
  readonly end?: number;
  readonly causal?: boolean;
  readonly window?: number;
  readonly sets?: number;
  readonly listed?: number;
  /** Lengths of the sets' lists, at most `listed`. */
  readonly lengths?: readonly number[];
  readonly scale?: number;
  readonly layout?: Layout;
}

/** Outputs and log-sum-exps; `spoil` may change keys and values first. */
async function attend(ops: Ops, a: Case, spoil: (k: Float32Array, v: Float32Array) => void = () => {}) {
  const { heads, keyHeads, queries, keys, channels, start = 0, end = keys, causal = true } = a;
  const { sets, listed = 0, lengths, scale = channels ** -0.5, layout = 'head-major' } = a;
  const queryShape = { heads, rows: queries, channels };
  const keyShape = { heads: keyHeads, rows: keys, channels };
  const k = numbers(2, keyHeads * keys * channels).map((x) => 2 * x);
  const v = numbers(3, keyHeads * keys * channels);
  spoil(k, v);
  // Set s lists every third row from s on; a guard behind each set names no row.
  const countsOffset = 1 + (sets ?? 0) * (listed + 1);
  const list =
    sets === undefined
      ? undefined
      : Uint32Array.from({ length: countsOffset + sets }, (_, at) => {
          if (at >= countsOffset) return lengths?.[at - countsOffset] ?? 0xffffffff;
          const set = Math.floor((at - 1) / (listed + 1));
          const place = (at - 1) % (listed + 1);
          if (at === 0 || place >= (lengths?.[set] ?? listed)) return 0xffffffff;
          return set + 3 * place;
        });
  const out = output(ops, queryShape, layout);
  const lse = output(ops, { heads, rows: 1, channels: queries });
  ops.attention({
    query: input(ops, queryShape, numbers(1, heads * queries * channels), layout),
    key: input(ops, keyShape, k, layout),
    value: input(ops, keyShape, v, layout),
    scale,
    visible: {
      range: { start, end, causal, window: a.window },
      list: list && {
        buffer: ops.upload(list, 'list'),
        offset: 1,
        sets: sets!,
        count: listed,
        rowStride: listed + 1,
        ...(lengths && { countsOffset }),
      },
    },
    out,
    logSumExp: { buffer: lse.buffer, offset: lse.offset, headStride: lse.headStride },
  });
  return { out: await take(ops, out), lse: await take(ops, lse) };
}

async function check(a: Case, spoil?: (k: Float32Array, v: Float32Array) => void, relative = 2e-6) {
  const expected = await attend(reference, a, spoil);
  const actual = await attend(simd, a, spoil);
  expectNear(actual.out, expected.out, relative);
  expectNear(actual.lse, expected.lse, relative);
  return { actual, expected };
}

describe('attention', () => {
  const base = { heads: 4, keyHeads: 2, channels: 6 };

  test.each([1, 2, 3, 4, 5, 7, 17, 31, 33, 64, 65, 127, 129, 513])(
    'causal prompt of %i tokens',
    async (queries) => {
      await check({ ...base, queries, keys: queries });
    },
  );

  test.each([1, 6, 7, 8, 20, 32, 33, 64, 128])('%i channels', async (channels) => {
    await check({ ...base, channels, queries: 9, keys: 133, start: 2, end: 131, layout: 'token-major' });
  });

  test.each([1, 2, 3, 7, 8, 9, 127, 128, 129, 256, 257, 1000])('%i keys, all seen by all', async (keys) => {
    await check({ ...base, queries: 6, keys, causal: false });
  });

  test.each([1, 2, 4])('a list of %i sets, then a causal range', async (sets) => {
    await check({ ...base, queries: 13, keys: 300, sets, listed: 60, start: 200, end: 290 });
    await check({ ...base, queries: 5, keys: 30, sets, listed: 7, start: 0, end: 0 });
    await check({ ...base, queries: 5, keys: 30, sets, listed: 0, start: 10, end: 30 });
  });

  test.each([1, 3, 4, 7, 127, 128, 129, 300, 700])('a window of %i', async (window) => {
    for (const queries of [1, 2, 5, 130, 513, 600]) {
      await check({ ...base, queries, keys: 600, window });
    }
    await check({ ...base, queries: 90, keys: 300, sets: 2, listed: 60, start: 200, end: 290, window });
    const lengths = [33, 0, 60, 7];
    await check({
      ...base,
      queries: 9,
      keys: 300,
      sets: 4,
      listed: 60,
      lengths,
      start: 200,
      end: 290,
      window,
    });
  });

  test.each([[[60]], [[60, 3]], [[0, 57]], [[60, 0, 1, 59]]])(
    'lists of different lengths: %j',
    async (lengths) => {
      const lists = { ...base, sets: lengths.length, listed: 60, lengths };
      for (const queries of [1, 2, 5, 13]) {
        await check({ ...lists, queries, keys: 300, start: 200, end: 290 });
        await check({ ...lists, queries, keys: 200, start: 0, end: 0, causal: false });
      }
    },
  );

  test.each([
    [6, 2, 1],
    [6, 2, 2],
    [6, 2, 6],
    [12, 3, 3],
    [4, 4, 4],
    [5, 1, 5],
    [9, 1, 1],
  ])(
    'one query: of %i heads, %i of keys and %i lists, those that see the same are rows',
    async (heads, keyHeads, sets) => {
      await check({
        heads,
        keyHeads,
        channels: 6,
        queries: 1,
        keys: 300,
        sets,
        listed: 90,
        start: 200,
        end: 290,
      });
      await check({ heads, keyHeads, channels: 6, queries: 1, keys: 30, sets, listed: 0, start: 4, end: 4 });
      await check({ heads, keyHeads, channels: 33, queries: 1, keys: 20, start: 3, end: 20 });
    },
  );

  test.each([
    // Heads 0 … 5 of one head of keys list a, b, a, c, b, a; 6 … 11, of another, the same.
    [
      'equal lists far apart share',
      [0, 1, 0, 2, 1, 0, 0, 1, 0, 2, 1, 0].map((of) => [of, 5 + of, 11 + 2 * of]),
    ],
    [
      'lists that only look equal to a hash do not',
      [0, 1, 0, 1].map(
        (of) =>
          [
            [75, 137, 155, 196, 270],
            [179, 198, 228, 243, 257],
          ][of]!,
      ),
    ],
    ['the first key alone, which looks like none to a hash, does not', [[0], [], [7], [7]]],
    ['a list does not share with its beginning', [0, 1, 2, 1].map((of) => [3, 9, 27, 81].slice(0, 4 - of))],
  ])('one query: %s', async (_, lists) => {
    const [heads, keys] = [lists.length, 300];
    const count = Math.max(...lists.map(({ length }) => length));
    const padded = lists.map((list) => [...list, ...new Array(count - list.length).fill(0xffffffff)]);
    const lengths = lists.map(({ length }) => length);
    const run = async (ops: Ops) => {
      const out = output(ops, { heads, rows: 1, channels: 5 });
      const lse = output(ops, { heads, rows: 1, channels: 1 });
      ops.attention({
        query: input(ops, { heads, rows: 1, channels: 5 }, numbers(1, heads * 5)),
        key: input(ops, { heads: 2, rows: keys, channels: 5 }, numbers(2, 2 * keys * 5)),
        value: input(ops, { heads: 2, rows: keys, channels: 5 }, numbers(3, 2 * keys * 5)),
        scale: 0.5,
        visible: {
          list: {
            buffer: ops.upload(Uint32Array.from([...padded.flat(), ...lengths]), 'lists'),
            offset: 0,
            sets: heads,
            count,
            rowStride: count,
            countsOffset: heads * count,
          },
          range: { start: 0, end: 0, causal: false },
        },
        out,
        logSumExp: { buffer: lse.buffer, offset: lse.offset, headStride: lse.headStride },
      });
      return [[...(await take(ops, out))], [...(await take(ops, lse))]] as const;
    };
    const [expected, actual] = [await run(reference), await run(simd)];
    expectNear(actual[0], expected[0], 2e-6);
    expectNear(actual[1], expected[1], 2e-6);
  });

  test('heads alone, and heads that share one', async () => {
    await check({ heads: 3, keyHeads: 3, channels: 4, queries: 6, keys: 11 });
    await check({ heads: 6, keyHeads: 1, channels: 4, queries: 6, keys: 11 });
  });

  test('queries that see nothing, or the list only', async () => {
    const { actual } = await check({ ...base, queries: 9, keys: 9, start: 4, end: 8 });
    expect(actual.lse.filter((x) => x === Number.NEGATIVE_INFINITY)).toHaveLength(4 * 5);
    expect(actual.out.slice(0, 5 * 6)).toEqual(new Array(5 * 6).fill(0));
    await check({ ...base, queries: 9, keys: 9, sets: 1, listed: 2, start: 6, end: 8 });
    await check({ ...base, queries: 5, keys: 0, causal: false });
  });

  test.each([0, 0.5, 30, -30])('scale %d', async (scale) => {
    // What a score's last bit changes grows with the score.
    await check({ ...base, queries: 9, keys: 200, scale }, undefined, 1e-5);
  });

  test('small weights are right to 1e-6 of themselves', async () => {
    // Query i weighs the second of two keys by e^−x ÷ (1 + e^−x), and only that key has a value.
    const queries = 801;
    const [expected, actual] = await Promise.all(
      [reference, simd].map((ops) => {
        const out = output(ops, { heads: 1, rows: queries, channels: 1 });
        const pair = input(ops, { heads: 1, rows: 2, channels: 1 }, [0, 1]);
        const falling = Float32Array.from({ length: queries }, (_, i) => -i / 10);
        ops.attention({
          query: input(ops, { heads: 1, rows: queries, channels: 1 }, falling),
          key: pair,
          value: pair,
          scale: 1,
          visible: { range: { start: 0, end: 2, causal: false } },
          out,
        });
        return take(ops, out);
      }),
    );
    expected!.forEach((weight, i) => {
      expect(Math.abs(actual![i]! / weight - 1), `e^−${i / 10}`).toBeLessThan(1e-6);
    });
  });

  test('scores far beyond the range of exp', async () => {
    const { actual, expected } = await check(
      { ...base, queries: 9, keys: 200, scale: 1000 },
      undefined,
      2e-3,
    );
    expect(Math.max(...expected.lse)).toBeGreaterThan(3000);
    expect(actual.lse.every(Number.isFinite)).toBe(true);
  });

  test('a key out of sight cannot leak NaN; one in sight reaches its own queries and heads', async () => {
    const { actual } = await check({ heads: 1, keyHeads: 1, channels: 5, queries: 11, keys: 11 }, (k, v) => {
      k.fill(Number.NaN, 9 * 5, 10 * 5);
      v.fill(Number.NaN, 9 * 5, 10 * 5);
    });
    expect(actual.out.map(Number.isNaN)).toEqual(Array.from({ length: 55 }, (_, i) => i >= 45));
    expect(actual.lse.map(Number.isNaN)).toEqual(Array.from({ length: 11 }, (_, i) => i >= 9));
  });

  test('keys that score −∞ weigh nothing, all of them or the first block', async () => {
    const one = { heads: 1, keyHeads: 1, channels: 1, queries: 6, keys: 140, causal: false };
    // The queries' signs decide which infinity a score is: only where all are −∞ is nothing seen.
    for (const count of [5, 128, 140]) await check(one, (k) => k.fill(Number.NEGATIVE_INFINITY, 0, count));
  });
});
