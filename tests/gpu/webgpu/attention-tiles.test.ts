import { it } from 'vitest';
import type { Ops, TileOrigin } from '../../../gpu/ops';
import {
  compare,
  describeDevices,
  hardwareAdapter,
  infiniteScores,
  inputView,
  type Layout,
  poisoned,
  quicklyCompiled,
  softwareAdapter,
} from './both';

// An exponential of a difference of numbers of about 3, and sums of at most a few hundred probabilities.
const tolerance = { relative: 1e-5 };

interface Case {
  readonly tokens: number;
  readonly channels: number;
  readonly heads?: number;
  readonly groups?: number;
  readonly layout?: Layout;
  readonly causalOffset?: number;
  readonly window?: number;
  readonly softCap?: number;
  readonly width: number;
  readonly height: number;
  readonly tokensPerPixel: number;
  readonly rowStep?: number;
  readonly tiles?: readonly TileOrigin[];
  readonly firstKeys?: number;
  /** Every third key scores −∞. */
  readonly infinite?: true;
}

const corner = { head: 0, row: 0, key: 0 };

const cases: readonly Case[] = [
  { tokens: 1, channels: 1, width: 1, height: 1, tokensPerPixel: 1 },
  { tokens: 1, channels: 8, width: 3, height: 2, tokensPerPixel: 4 },
  { tokens: 70, channels: 6, width: 70, height: 70, tokensPerPixel: 1, layout: 'strided' },
  // Blocks of 64 × 64 cells: a tile that ends inside one, and one that begins inside one.
  {
    tokens: 131,
    channels: 20,
    heads: 4,
    groups: 2,
    layout: 'token-major',
    width: 65,
    height: 9,
    tokensPerPixel: 1,
    tiles: [
      { head: 3, row: 122, key: 66 },
      { head: 1, row: 61, key: 3 },
      { head: 2, row: 131, key: 0 },
      { head: 0, row: 0, key: 131 },
    ],
  },
  {
    tokens: 67,
    channels: 33,
    heads: 2,
    width: 34,
    height: 34,
    tokensPerPixel: 2,
    tiles: [{ ...corner, head: 1 }],
  },
  {
    tokens: 133,
    channels: 16,
    width: 17,
    height: 18,
    tokensPerPixel: 4,
    tiles: [{ head: 0, row: 64, key: 64 }],
  },
  { tokens: 133, channels: 16, width: 17, height: 17, tokensPerPixel: 8 },
  {
    tokens: 133,
    channels: 12,
    width: 9,
    height: 9,
    tokensPerPixel: 16,
    heads: 3,
    groups: 1,
    tiles: [{ ...corner, head: 2 }, corner],
  },
  { tokens: 133, channels: 12, width: 5, height: 5, tokensPerPixel: 32 },
  { tokens: 133, channels: 64, width: 3, height: 3, tokensPerPixel: 64, layout: 'strided' },
  { tokens: 200, channels: 8, width: 2, height: 2, tokensPerPixel: 128 },
  { tokens: 133, channels: 8, width: 1, height: 1, tokensPerPixel: 256 },
  // Sampled: a pixel has fewer rows than keys.
  { tokens: 133, channels: 8, width: 67, height: 67, tokensPerPixel: 2, rowStep: 2 },
  { tokens: 133, channels: 8, width: 9, height: 9, tokensPerPixel: 16, rowStep: 8 },
  { tokens: 133, channels: 8, width: 5, height: 5, tokensPerPixel: 32, rowStep: 32 },
  { tokens: 200, channels: 8, width: 2, height: 2, tokensPerPixel: 128, rowStep: 2 },
  { tokens: 200, channels: 8, width: 2, height: 2, tokensPerPixel: 128, rowStep: 32 },
  // Pixels between the same block's, and a diagonal that is not the map's own.
  { tokens: 70, channels: 8, width: 20, height: 20, tokensPerPixel: 4, causalOffset: -66 },
  { tokens: 70, channels: 8, width: 20, height: 20, tokensPerPixel: 4, causalOffset: 5 },
  { tokens: 40, channels: 8, width: 20, height: 20, tokensPerPixel: 2, causalOffset: 1e9 },
  { tokens: 133, channels: 20, width: 34, height: 34, tokensPerPixel: 4, infinite: true },
  { tokens: 133, channels: 8, width: 67, height: 67, tokensPerPixel: 2, heads: 2, infinite: true },
  { tokens: 70, channels: 8, width: 20, height: 20, tokensPerPixel: 4, firstKeys: 7 },
  { tokens: 200, channels: 8, width: 2, height: 2, tokensPerPixel: 128, firstKeys: 0 },
  ...[0, 1, 5, 64, 70, 1000].flatMap((window) => [
    {
      tokens: 131,
      channels: 8,
      width: 70,
      height: 70,
      tokensPerPixel: 1,
      window,
      tiles: [{ head: 0, row: 61, key: 3 }],
    },
    { tokens: 133, channels: 8, width: 34, height: 34, tokensPerPixel: 4, window },
    { tokens: 133, channels: 8, width: 9, height: 9, tokensPerPixel: 16, rowStep: 8, window },
    { tokens: 200, channels: 8, width: 2, height: 2, tokensPerPixel: 128, rowStep: 2, window },
    { tokens: 300, channels: 8, width: 2, height: 2, tokensPerPixel: 256, window },
  ]),
  { tokens: 70, channels: 8, width: 20, height: 20, tokensPerPixel: 4, causalOffset: -30, window: 10 },
  { tokens: 70, channels: 8, width: 20, height: 20, tokensPerPixel: 4, causalOffset: 30, window: 41 },
  { tokens: 131, channels: 8, width: 70, height: 70, tokensPerPixel: 1, softCap: 0.9 },
  { tokens: 133, channels: 20, width: 34, height: 34, tokensPerPixel: 4, window: 50, softCap: 2 },
  { tokens: 0, channels: 8, width: 2, height: 2, tokensPerPixel: 2 },
  { tokens: 9, channels: 8, width: 2, height: 2, tokensPerPixel: 2, tiles: [] },
];

function encode(ops: Ops, c: Case, scale = 1) {
  const { tokens, channels, heads = 1, groups = 1, layout = 'dense', causalOffset = 0 } = c;
  const [queryShape, keyShape] = [[heads, tokens, channels] as const, [groups, tokens, channels] as const];
  const values = c.infinite ? infiniteScores(queryShape, keyShape) : { query: 1, key: 2 };
  const query = inputView(ops, queryShape, layout, values.query, scale);
  const key = inputView(ops, keyShape, layout, values.key, scale);
  const scalars = inputView(ops, [heads, 1, tokens], 'strided', 3, scale);
  const logSumExp = { buffer: scalars.buffer, offset: scalars.offset, headStride: scalars.headStride };
  const { width, height, tokensPerPixel, rowStep = 1, tiles = [corner] } = c;
  const factors = inputView(ops, [heads, 1, tokens], 'strided', 4, scale);
  const products = { factors, firstKeys: c.firstKeys ?? 4, firstFactor: 1.5 };
  const out = poisoned(ops, 3 + tiles.length * 3 * width * height);
  const pixels = { tiles, width, height, tokensPerPixel, rowStep, out, outOffset: 3 };
  ops.attentionTiles({
    query,
    key,
    scale: channels ** -0.5,
    softCap: c.softCap,
    logSumExp,
    causalOffset,
    window: c.window,
    ...pixels,
    ...products,
  });
  return { out };
}

const devices = { 'software adapter': softwareAdapter, 'hardware adapter': quicklyCompiled };

describeDevices('attentionTiles', devices, (backends) => {
  it.each(cases.map((c) => [JSON.stringify(c), c] as const))('%s', async (_, c) => {
    await compare(backends, (ops) => encode(ops, c), tolerance);
  });

  it('probabilities that are far apart', async () => {
    const c = { tokens: 133, channels: 8, width: 17, height: 17, tokensPerPixel: 8 };
    await compare(backends, (ops) => encode(ops, c, 4), { relative: 1e-4 });
  });
});

describeDevices('attentionTiles, loops written out', { 'hardware adapter': hardwareAdapter }, (backends) => {
  it('pixels of several rows and keys, with a window', async () => {
    const tokens = { tokens: 133, channels: 20, heads: 2, tokensPerPixel: 16, window: 70 };
    await compare(backends, (ops) => encode(ops, { ...tokens, width: 9, height: 9, rowStep: 8 }), tolerance);
  });
});
