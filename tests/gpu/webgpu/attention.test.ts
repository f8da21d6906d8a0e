import { expect, it } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { tileConstants, tileFor } from '../../../gpu/operations/attention/webgpu-flash-shapes';
import type { Ops } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import type { CommandEncoder } from '../../../gpu/webgpu/command-encoder';
import { kernelCode, kernelNamed } from '../../../gpu/webgpu/kernel';
import { describeWebGpu } from '../../webgpu-node';
import {
  compare,
  describeDevices,
  inputView,
  type Layout,
  layOut,
  openAs,
  outputView,
  poisoned,
  quicklyCompiled,
  randomFloats,
  softwareAdapter,
  type TestDevice,
} from './both';

// Exponentials (2 rounding steps each) of sums over d, weighted sums of values of about 1.
const tolerance = { relative: 5e-6 };

interface Case {
  readonly queries: number;
  readonly keys: number;
  readonly channels: number;
  readonly heads?: number;
  readonly groups?: number;
  readonly layout?: Layout;
  readonly start?: number;
  readonly end?: number;
  readonly causal?: boolean;
  readonly window?: number;
  /** Length of the list and number of sets of it, or the length of each of them. */
  readonly list?: number;
  readonly sets?: number;
  readonly lengths?: readonly number[];
  readonly scale?: number;
  readonly softCap?: number;
}

// A number of vectors is compiled in: what its tail, several rows of a thread and splits need is here, and no other.
const cases: readonly Case[] = [
  // Few queries: one span of keys.
  { queries: 1, keys: 1, channels: 1 },
  { queries: 1, keys: 63, channels: 18, heads: 3, groups: 1, layout: 'strided' },
  { queries: 2, keys: 65, channels: 20, heads: 6, groups: 2 },
  { queries: 3, keys: 129, channels: 20, heads: 2, groups: 2, start: 5, end: 127 },
  { queries: 4, keys: 4, channels: 20 },
  { queries: 4, keys: 2, channels: 20, causal: true },
  { queries: 1, keys: 40, channels: 20, list: 17, start: 30, end: 31 },
  // Few queries: several spans.
  { queries: 1, keys: 257, channels: 18, heads: 3, groups: 1, layout: 'strided' },
  {
    queries: 3,
    keys: 700,
    channels: 20,
    heads: 2,
    groups: 1,
    causal: true,
    list: 300,
    sets: 2,
    start: 300,
    end: 700,
  },
  { queries: 2, keys: 300, channels: 300, causal: false },
  { queries: 9, keys: 200, channels: 20, layout: 'strided' },
  // Blocks of queries.
  { queries: 5, keys: 5, channels: 1 },
  { queries: 17, keys: 31, channels: 18, heads: 3, groups: 1, layout: 'strided' },
  { queries: 31, keys: 33, channels: 20, heads: 2, groups: 2, causal: false },
  { queries: 33, keys: 65, channels: 33, heads: 3, groups: 3, layout: 'token-major' },
  { queries: 7, keys: 20, channels: 4, start: 20, end: 20 },
  { queries: 40, keys: 20, channels: 20, heads: 2, groups: 1 },
  // Lists.
  { queries: 33, keys: 129, channels: 20, heads: 6, groups: 2, list: 31, sets: 1, start: 90, end: 129 },
  { queries: 9, keys: 129, channels: 20, heads: 6, groups: 2, list: 65, sets: 2, start: 80, end: 100 },
  { queries: 9, keys: 129, channels: 20, heads: 6, groups: 2, list: 33, sets: 6, start: 0, end: 0 },
  { queries: 40, keys: 64, channels: 20, list: 3, start: 60, end: 64, causal: true },
  { queries: 20, keys: 64, channels: 20, list: 0, start: 60, end: 64, causal: true },
  // Lists of different lengths: around a vector, a tile, a span, and none. Many queries see them with a window, which hides nothing.
  ...[{ queries: 1 }, { queries: 40, window: 1000 }].flatMap((few) => [
    { ...few, keys: 129, channels: 20, list: 65, lengths: [33], start: 90 },
    {
      ...few,
      keys: 200,
      channels: 20,
      heads: 6,
      groups: 2,
      list: 65,
      lengths: [65, 1],
      start: 150,
      end: 170,
    },
    { ...few, keys: 200, channels: 20, heads: 4, groups: 2, list: 64, lengths: [0, 64, 31, 8], start: 150 },
    { ...few, keys: 129, channels: 20, heads: 6, groups: 2, list: 40, lengths: [9, 0, 40, 7, 1, 8], end: 0 },
    { ...few, keys: 900, channels: 20, heads: 2, list: 600, lengths: [257, 130], start: 700 },
  ]),
  // Many that see them without one: only the tiles of keys that some query does not see are masked.
  { queries: 40, keys: 200, channels: 20, heads: 2, list: 160, lengths: [9, 130], start: 140 },
  // Windows: within a tile, around one, and wider than the range; a list besides is seen whole.
  ...[0, 1, 8, 31, 32, 33, 64, 1000].flatMap((window) => [
    { queries: 1, keys: 129, channels: 20, window },
    { queries: 70, keys: 129, channels: 20, heads: 2, window },
    { queries: 66, keys: 300, channels: 20, heads: 6, groups: 2, window, start: 5, end: 290 },
  ]),
  ...[1, 5, 40].flatMap((window) => [
    { queries: 3, keys: 600, channels: 20, heads: 2, list: 300, sets: 2, start: 300, window },
    {
      queries: 70,
      keys: 260,
      channels: 20,
      heads: 4,
      groups: 2,
      list: 70,
      lengths: [9, 70],
      start: 100,
      window,
    },
    { queries: 40, keys: 20, channels: 20, heads: 2, window },
  ]),
  {
    queries: 40,
    keys: 700,
    channels: 300,
    heads: 3,
    list: 300,
    lengths: [300, 0, 9],
    start: 600,
    window: 5,
  },
  { queries: 1, keys: 2000, channels: 20, heads: 2, window: 700 },
  { queries: 300, keys: 2000, channels: 20, window: 700 },
  // Logits of some thousands: only with the maximum subtracted do these stay finite.
  { queries: 20, keys: 70, channels: 20, scale: 700 },
  { queries: 1, keys: 300, channels: 20, scale: 700 },
  // Soft caps: of one query, of blocks, beside lists and windows, and where scores are far beyond them.
  { queries: 1, keys: 257, channels: 18, heads: 3, groups: 1, layout: 'strided', softCap: 0.7 },
  { queries: 70, keys: 129, channels: 20, heads: 2, window: 33, softCap: 1.5 },
  {
    queries: 40,
    keys: 200,
    channels: 20,
    heads: 4,
    groups: 2,
    list: 64,
    lengths: [0, 64, 31, 8],
    start: 150,
    softCap: 2,
  },
  { queries: 2, keys: 300, channels: 300, causal: false, softCap: 1 },
  { queries: 20, keys: 70, channels: 20, scale: 700, softCap: 50 },
];

/** Head sizes that get other tiles, or several columns of them: one row, column or vector more or less than a tile. */
const tileCases: readonly Case[] = [
  { queries: 3, keys: 129, channels: 64, heads: 2, groups: 2, start: 5, end: 127 },
  { queries: 4, keys: 260, channels: 192, causal: true },
  { queries: 3, keys: 131, channels: 192, heads: 4, groups: 1 },
  { queries: 64, keys: 64, channels: 32, heads: 6, groups: 2 },
  { queries: 43, keys: 33, channels: 32, heads: 3, groups: 1 },
  { queries: 63, keys: 63, channels: 64 },
  { queries: 65, keys: 65, channels: 64, causal: false },
  { queries: 65, keys: 129, channels: 64, start: 3, end: 100 },
  { queries: 22, keys: 257, channels: 64, heads: 3, groups: 1, list: 64, sets: 3, start: 193, end: 257 },
  { queries: 40, keys: 50, channels: 100, layout: 'strided' },
  { queries: 17, keys: 130, channels: 128, heads: 4, groups: 2, list: 65, sets: 2, start: 128, end: 130 },
  { queries: 12, keys: 70, channels: 256, heads: 2, groups: 1 },
];

function run(ops: Ops, c: Case) {
  const { queries, keys, channels, heads = 1, groups = 1, layout = 'dense', list = 0, lengths } = c;
  const sets = lengths?.length ?? c.sets ?? 1;
  const query = inputView(ops, [heads, queries, channels], layout, 1);
  const key = inputView(ops, [groups, keys, channels], layout, 2);
  const value = inputView(ops, [groups, keys, channels], 'strided', 3);
  const out = outputView(ops, [heads, queries, channels], layout);
  const logSumExp = { buffer: poisoned(ops, 4 + heads * (queries + 3)), offset: 4, headStride: queries + 3 };
  const rowStride = list + 2;
  const countsOffset = 3 + sets * rowStride;
  const indices = Uint32Array.from({ length: countsOffset + sets }, (_, i) => {
    if (i >= countsOffset) return lengths?.[i - countsOffset] ?? 0xffff_ffff;
    const at = i - 3;
    const entry = at % rowStride;
    // Ascending, different for each set; junk between the sets.
    return at < 0 || entry >= (lengths?.[Math.floor(at / rowStride)] ?? list)
      ? 0xffff_ffff
      : Math.floor((entry * keys) / list + (at / rowStride) * 0.3);
  });
  ops.attention({
    query,
    key,
    value,
    scale: c.scale ?? channels ** -0.5,
    softCap: c.softCap,
    visible: {
      list:
        c.list === undefined
          ? undefined
          : {
              ...{ buffer: ops.upload(indices, 'list'), offset: 3, sets, count: list, rowStride },
              ...(lengths && { countsOffset }),
            },
      range: { start: c.start ?? 0, end: c.end ?? keys, causal: c.causal ?? true, window: c.window },
    },
    out,
    logSumExp,
  });
  return { out: out.buffer, logSumExp: logSumExp.buffer };
}

const devices = { 'software adapter': softwareAdapter, 'hardware adapter': quicklyCompiled };

describeDevices('attention', devices, (backends) => {
  it.each(cases.map((c) => [JSON.stringify(c), c] as const))('%s', async (_, c) => {
    // Logits of thousands lose absolute accuracy with their size.
    await compare(backends, (ops) => run(ops, c), c.scale ? { relative: 2e-3 } : tolerance);
  });

  it('needs no log-sum-exp', async () => {
    await compare(
      backends,
      (ops) => {
        const outs = [3, 9].map((queries) => {
          const view = inputView(ops, [2, queries, CHANNELS], 'dense', 1);
          const key = inputView(ops, [1, 300, CHANNELS], 'dense', 2);
          const out = outputView(ops, [2, queries, CHANNELS], 'dense');
          const visible = { range: { start: 0, end: 300, causal: false } };
          ops.attention({ query: view, key, value: key, scale: 0.3, visible, out });
          return out.buffer;
        });
        return { few: outs[0]!, many: outs[1]! };
      },
      tolerance,
    );
  });

  it('gives zeros and −∞ where no key is visible', async () => {
    const { webgpu } = backends;
    for (const queries of [2, 40]) {
      const view = layOut(1, queries, CHANNELS, 'dense');
      const query = inputView(webgpu, [1, queries, CHANNELS], 'dense', 1);
      const key = inputView(webgpu, [1, 4, CHANNELS], 'dense', 2);
      const out = { ...view, buffer: poisoned(webgpu, queries * CHANNELS) };
      const logSumExp = { buffer: poisoned(webgpu, queries), offset: 0, headStride: queries };
      const visible = { range: { start: 2, end: 2, causal: true } };
      webgpu.attention({ query, key, value: key, scale: 1, visible, out, logSumExp });
      expect(await webgpu.readFloats(out.buffer, 0, queries * CHANNELS)).toEqual(
        new Float32Array(queries * CHANNELS),
      );
      const lse = await webgpu.readFloats(logSumExp.buffer, 0, queries);
      expect(lse).toEqual(new Float32Array(queries).fill(Number.NEGATIVE_INFINITY));
    }
  });

  it('shares the weight among keys with the same score, and has what is large besides', async () => {
    for (const [queries, keys] of [
      [2, 300],
      [70, 130],
    ] as const) {
      const same = new Float32Array(keys * CHANNELS).fill(0.25);
      // The last key of every hundred stands out by so much that the others vanish.
      const large = same.map((x, i) => (Math.floor(i / CHANNELS) % 100 === 99 ? 4000 * x : x));
      for (const keyValues of [same, large]) {
        await compare(
          backends,
          (ops) =>
            attend(ops, {
              queries,
              keys,
              query: new Float32Array(queries * CHANNELS).fill(1),
              key: keyValues,
            }),
          tolerance,
        );
      }
    }
  });

  it.each([
    [0, 'the first'],
    [17, 'the last'],
  ])(
    'gives keys with score −∞ no weight, and zeros where all have it: channel %i, of %s vector',
    async (channel) => {
      for (const [queries, keys] of [
        [2, 300],
        [70, 200],
      ] as const) {
        // The first keys, as many as several tiles hold, score −∞: early queries see no others.
        const key = randomFloats(keys * CHANNELS, 2).map((x, i) =>
          i % CHANNELS === channel && i < CHANNELS * (keys - 5) ? Number.NEGATIVE_INFINITY : x,
        );
        const query = randomFloats(queries * CHANNELS, 1).map((x, i) =>
          i % CHANNELS === channel ? 1 + Math.abs(x) : x,
        );
        await compare(backends, (ops) => attend(ops, { queries, keys, query, key }), tolerance);
      }
    },
  );
});

describeDevices('attention by tiles', { 'hardware adapter': quicklyCompiled }, (backends) => {
  it.each(tileCases.map((c) => [JSON.stringify(c), c] as const))('%s', async (_, c) => {
    await compare(backends, (ops) => run(ops, c), tolerance);
  });
});

/** Vectors of channels that no power of two holds, as most cases have: others would only be compiled apart. */
const CHANNELS = 20;

/** Causal attention of heads of CHANNELS channels, one by default, with given queries and keys. */
function attend(
  ops: Ops,
  a: {
    queries: number;
    keys: number;
    query: Float32Array;
    key: Float32Array;
    heads?: number;
    scale?: number;
  },
): { out: DeviceBuffer; logSumExp: DeviceBuffer } {
  const { heads = 1, scale = 0.5 } = a;
  const query = inputView(ops, [heads, a.queries, CHANNELS], 'dense', a.query);
  const key = inputView(ops, [heads, a.keys, CHANNELS], 'dense', a.key);
  const value = inputView(ops, [heads, a.keys, CHANNELS], 'dense', 3);
  const out = outputView(ops, [heads, a.queries, CHANNELS], 'dense');
  const logSumExp = { buffer: poisoned(ops, heads * a.queries), offset: 0, headStride: a.queries };
  const visible = { range: { start: 0, end: a.keys, causal: true } };
  ops.attention({ query, key, value, scale, visible, out, logSumExp });
  return { out: out.buffer, logSumExp: logSumExp.buffer };
}

// Captures promise to be finite and no more: scores down to −3e38 are scores, not the mark of what a query does not see.
describeDevices('attention to scores far below zero', devices, (backends) => {
  // The places of the seams of key tiles of 8, 32, 64 and 128, of spans, and the ends: a head for each, and one without.
  const seams = [-2, 0, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 298];
  const [low, high] = [-1.75 * 2 ** 127, -(2 ** 126)];
  const keys = 300;

  // Exact in 32 bits: 2⁵⁰ · key is the score, and where two keys are highest they share the weight.
  const scored = (ops: Ops, queries: number, lowest: number) => {
    const heads = seams.length;
    const key = new Float32Array(heads * keys * CHANNELS);
    for (const [head, seam] of seams.entries()) {
      for (let t = 0; t < keys; t++) {
        const isHigh = t === seam || t === seam + 1;
        key[CHANNELS * (head * keys + t)] = (isHigh ? Math.max(high, lowest / 2) : lowest) / 2 ** 50;
      }
    }
    const query = new Float32Array(heads * queries * CHANNELS).map((_, i) =>
      i % CHANNELS === 0 ? 2 ** 50 : 0,
    );
    return attend(ops, { queries, keys, query, key, heads, scale: 1 });
  };

  it.each([1, 3, 33])('%d queries', async (queries) => {
    for (const lowest of [-1e30, -1e34, low])
      await compare(backends, (ops) => scored(ops, queries, lowest), tolerance);
  });

  it('adds nothing of keys that a query does not see, however low those are that it does', async () => {
    // Row 0 sees itself alone: the rest of its tile of keys is masked.
    const own = (ops: Ops) => {
      const key = new Float32Array(70 * CHANNELS).map((_, i) => (i % CHANNELS === 0 ? low / 2 ** 50 : 0));
      const query = new Float32Array(70 * CHANNELS).map((_, i) => (i % CHANNELS === 0 ? 2 ** 50 : 0));
      return attend(ops, { queries: 70, keys: 70, query, key, scale: 1 });
    };
    const { out, logSumExp } = own(backends.webgpu);
    const value = inputView(backends.cpu, [1, 70, CHANNELS], 'dense', 3);
    expect(await backends.webgpu.readFloats(out, 0, CHANNELS)).toEqual(
      await backends.cpu.readFloats(value.buffer, value.offset, CHANNELS),
    );
    expect(await backends.webgpu.readFloats(logSumExp, 0, 1)).toEqual(Float32Array.of(low));
  });
});

describeWebGpu('attention on other real devices', (gpu) => {
  const leastMemory = { maxWorkgroupStorageBytes: 16_384 };
  // There even these are many pairs of a query and a key, which get the largest tiles.
  const fewThreads = { parallelThreads: 64 };
  // As hardware runs them. Larger heads would take SwiftShader long to compile so: see the last test.
  const unrolled = { unrollsLoops: true };
  const cases: readonly [TestDevice, Case][] = [
    [leastMemory, { queries: 20, keys: 140, channels: 128, heads: 2, groups: 1 }],
    [leastMemory, { queries: 20, keys: 140, channels: 256, heads: 2, groups: 1 }],
    [
      { ...leastMemory, ...fewThreads },
      { queries: 33, keys: 140, channels: 128, heads: 2, groups: 1 },
    ],
    [
      { ...unrolled, ...fewThreads },
      { queries: 3, keys: 70, channels: 32, heads: 3, groups: 1 },
    ],
    [
      { ...unrolled, ...fewThreads },
      { queries: 70, keys: 150, channels: 16, heads: 2, list: 40, sets: 1, start: 100, window: 30 },
    ],
    [fewThreads, { queries: 70, keys: 250, channels: 128, heads: 2, groups: 1, window: 70 }],
    [fewThreads, { queries: 70, keys: 140, channels: 64, heads: 2, groups: 1 }],
    [
      { ...unrolled, ...fewThreads },
      { queries: 70, keys: 150, channels: 16, heads: 2, groups: 1, softCap: 1.2 },
    ],
    [fewThreads, { queries: 66, keys: 150, channels: 98, list: 70, sets: 1, start: 100, window: 45 }],
  ];
  it.each(
    cases.map(
      ([capabilities, c]) => [JSON.stringify(capabilities), JSON.stringify(c), capabilities, c] as const,
    ),
  )('%s: %s', async (_, __, capabilities, c) => {
    const webgpu = await openAs(gpu, { ...quicklyCompiled, ...capabilities });
    const cpu = createCpuOps({ simd: false });
    try {
      await compare({ webgpu, cpu }, (ops) => run(ops, c), tolerance);
    } finally {
      webgpu.destroy();
      cpu.destroy();
    }
  });

  it('heads of 64, 128 and 256 channels are valid WGSL as hardware has them, loops written out; only KEYHOLE_TEST_GPU=hardware runs them so', async () => {
    const kernel = kernelNamed('attention-flash')!;
    const codes = new Set<string>();
    for (const channels of [64, 128, 256])
      for (const maxWorkgroupStorageBytes of [16_384, 32_768])
        for (const keys of [100, 100_000])
          for (const isWindowed of [false, true]) {
            const device = { capabilities: { maxWorkgroupStorageBytes }, parallelThreads: 64 };
            const tile = tileFor(device as CommandEncoder, channels, 200, 1, keys);
            const visible = { RAGGED: isWindowed, WINDOWED: isWindowed, CAPPED: isWindowed };
            codes.add(kernelCode(kernel, { ...tileConstants(tile, channels), ...visible }));
          }
    expect(codes.size).toBeGreaterThanOrEqual(10);
    for (const code of codes) {
      expect(code).not.toContain('// unrolled');
      const { messages } = await gpu.device.createShaderModule({ code }).getCompilationInfo();
      expect(messages.map(({ message }) => message)).toEqual([]);
    }
  });
});
