/** Everything that recomputes probabilities, on WebAssembly SIMD against the plain TypeScript, at the seams of tiles. */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import type { Ops } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import { expectNear, input, numbers } from './views';

const simd = createCpuOps();
const reference = createCpuOps({ simd: false });
const GUARD = 12345;
const GROUPS = 3;

interface Case {
  readonly queries: number;
  readonly keys: number;
  readonly channels: number;
  readonly causalOffset: number;
  readonly window?: number;
  readonly shift?: number;
}

/** What each operation writes, guard included; keys that no query sees are NaN. */
async function weigh(ops: Ops, { queries, keys, channels, causalOffset, window, shift = 0 }: Case) {
  const [heads, keyHeads] = [4, 2];
  const k = numbers(2, keyHeads * keys * channels);
  for (let t = Math.max(0, queries + causalOffset); t < keys; t++) {
    for (let g = 0; g < keyHeads; g++)
      k.fill(Number.NaN, (g * keys + t) * channels, (g * keys + t + 1) * channels);
  }
  const lse = numbers(3, heads * queries).map((x) => x + shift);
  const scalars = input(ops, { heads, rows: 1, channels: queries }, lse);
  const query = input(ops, { heads, rows: queries, channels }, numbers(1, heads * queries * channels));
  const key = input(ops, { heads: keyHeads, rows: keys, channels }, k);
  const a = {
    query,
    key,
    scale: 2 * channels ** -0.5,
    logSumExp: { buffer: scalars.buffer, offset: scalars.offset, headStride: scalars.headStride },
    causalOffset,
    window,
  };
  const buffer = (length: number) => ops.upload(new Float32Array(length + 1).fill(GUARD), 'out');
  const take = async (out: DeviceBuffer) => {
    const values = [...(await ops.readFloats(out))];
    expect(values.pop()).toBe(GUARD);
    return values;
  };

  const probabilities = buffer(heads * queries * keys);
  ops.attentionProbabilities({ ...a, out: probabilities });
  const sums = buffer(keyHeads * keys);
  const seen = Math.max(0, Math.min(keys, queries + causalOffset));
  ops.accumulatedAttention({
    ...a,
    visible: { range: { start: 0, end: seen, causal: true, window } },
    out: { buffer: sums, offset: 0, rows: keyHeads, length: keys, rowStride: keys },
  });
  const mass = buffer(heads * queries * GROUPS);
  const groupOf = ops.upload(
    Uint32Array.from({ length: keyHeads * keys }, (_, i) => i % GROUPS),
    'groups',
  );
  ops.massByGroup({ ...a, groupOf, groupings: 1, sets: keyHeads, groups: GROUPS, out: mass });
  const tiles = [
    { head: 3, row: 0, key: 0 },
    { head: 1, row: 3, key: 4 },
  ];
  const pixels = { width: 7, height: 5, tokensPerPixel: 4, rowStep: 2 };
  const products = { factors: a.logSumExp, firstKeys: 6, firstFactor: 0.5 };
  const pooled = buffer(tiles.length * 3 * 7 * 5);
  ops.attentionTiles({ ...a, ...pixels, ...products, tiles, out: pooled, outOffset: 0 });
  return {
    probabilities: await take(probabilities),
    sums: await take(sums),
    mass: await take(mass),
    pooled: await take(pooled),
  };
}

async function check(a: Case): Promise<Record<string, number[]>> {
  const actual: Record<string, number[]> = await weigh(simd, a);
  for (const [name, expected] of Object.entries(await weigh(reference, a))) {
    expectNear(actual[name]!, expected, 2e-6);
  }
  return actual;
}

describe('probabilities on WebAssembly SIMD', () => {
  test.each([1, 2, 3, 5, 17, 31, 33, 64, 65])('%i queries', async (queries) => {
    await check({ queries, keys: queries, channels: 6, causalOffset: 0 });
    await check({ queries, keys: queries + 30, channels: 6, causalOffset: 29 });
  });

  test.each([1, 2, 3, 7, 8, 9, 31, 33, 129])('%i keys', async (keys) => {
    await check({ queries: 9, keys, channels: 5, causalOffset: keys });
    await check({ queries: 9, keys, channels: 5, causalOffset: -4 });
  });

  test.each([1, 3, 8, 9, 20, 33, 70])('a window of %i', async (window) => {
    await check({ queries: 65, keys: 65, channels: 6, causalOffset: 0, window });
    await check({ queries: 9, keys: 40, channels: 6, causalOffset: 31, window });
    await check({ queries: 2, keys: 40, channels: 6, causalOffset: 20, window });
  });

  test.each([1, 6, 20, 32, 33, 64, 128])('%i channels', async (channels) => {
    await check({ queries: 10, keys: 21, channels, causalOffset: 11 });
  });

  test('a log-sum-exp of other keys: probabilities far above 1, beyond floats, and 0', async () => {
    const a = { queries: 9, keys: 20, channels: 6, causalOffset: 11 };
    expect(Math.max(...(await check({ ...a, shift: -60 })).probabilities!)).toBeGreaterThan(1e25);
    expect(Math.min(...(await check({ ...a, shift: -100 })).mass!)).toBe(Number.POSITIVE_INFINITY);
    expect((await check({ ...a, shift: Number.NEGATIVE_INFINITY })).pooled).toContain(
      Number.POSITIVE_INFINITY,
    );
    expect(Math.max(...(await check({ ...a, shift: Number.POSITIVE_INFINITY })).probabilities!)).toBe(0);
  });
});
