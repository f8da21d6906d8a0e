import { expect, it } from 'vitest';
import type { Ops, ScoreRows } from '../../../gpu/ops';
import {
  compare,
  describeBoth,
  inputView,
  type Layout,
  outputView,
  poisoned,
  poisonedIntegers,
  randomFloats,
} from './both';

const infinity = Number.POSITIVE_INFINITY;

/** Score rows with the values given, in a poisoned buffer. */
function scores(ops: Ops, rows: number, length: number, values: Float32Array): ScoreRows {
  const { buffer, offset, rowStride } = inputView(ops, [1, rows, length], 'strided', values);
  return { buffer, offset, rows, length, rowStride };
}

function scoresOut(ops: Ops, rows: number, length: number): ScoreRows {
  const rowStride = length + 2;
  return { buffer: poisoned(ops, 3 + rows * rowStride), offset: 3, rows, length, rowStride };
}

describeBoth('sumHeads and mergeAttention', (backends) => {
  it.each([
    [1, 1, 1, 1, 'dense'],
    [3, 1, 5, 33, 'strided'],
    [6, 2, 17, 20, 'token-major'],
    [4, 4, 3, 65, 'strided'],
    [6, 2, 0, 8, 'dense'],
  ] as const)('sums %i heads to %i: %i × %i, %s', async (heads, groups, rows, channels, layout) => {
    await compare(
      backends,
      (ops) => {
        const input = inputView(ops, [heads, rows, channels], layout, 1);
        const plain = outputView(ops, [groups, rows, channels], 'strided');
        const scaled = outputView(ops, [groups, rows, channels], 'dense');
        ops.sumHeads({ input, out: plain });
        ops.sumHeads({ input, out: scaled, factor: -0.25 });
        return { plain: plain.buffer, scaled: scaled.buffer };
      },
      // Sums of at most six numbers.
      { relative: 1e-6 },
    );
  });

  it.each([
    [1, 1, 1, 'dense'],
    [3, 5, 33, 'strided'],
    [2, 17, 64, 'token-major'],
    [2, 0, 8, 'dense'],
  ] as const)('merges %i × %i × %i, %s', async (heads, rows, channels, layout) => {
    await compare(
      backends,
      (ops) => {
        const shape = [heads, rows, channels] as const;
        // Equal, far apart, and empty on either or both sides.
        const pattern = [0, 3, -200, 200, -infinity, 1e4];
        const lambda = (shift: number) => {
          const values = Float32Array.from(
            { length: 2 + heads * (rows + 1) },
            (_, i) => pattern[(i * 5 + (i % 7) * shift) % pattern.length]!,
          );
          return { buffer: ops.upload(values, 'lambda'), offset: 2, headStride: rows + 1 };
        };
        const into = { out: inputView(ops, shape, layout, 1), logSumExp: lambda(1) };
        const from = { out: inputView(ops, shape, 'strided', 2), logSumExp: lambda(2) };
        ops.mergeAttention({ into, from });
        return {
          out: into.out.buffer,
          logSumExp: into.logSumExp.buffer,
          from: from.out.buffer,
          fromLogSumExp: from.logSumExp.buffer,
        };
      },
      { relative: 2e-6 },
    );
  });
});

describeBoth('peakScores and dilate', (backends) => {
  it.each([
    [1, 1, 1, 'dense'],
    [1, 65, 4, 'dense'],
    [5, 2, 6, 'strided'],
    [63, 64, 20, 'dense'],
    [64, 127, 33, 'strided'],
    [65, 129, 12, 'dense'],
    [129, 31, 8, 'strided'],
    [0, 70, 8, 'dense'],
    [3, 0, 8, 'dense'],
  ] as [number, number, number, Layout][])(
    'peaks of %i queries, %i keys, %i channels, %s',
    async (n, m, channels, layout) => {
      await compare(
        backends,
        (ops) => {
          const out = poisoned(ops, m + 3);
          const query = inputView(ops, [1, n, channels], layout, 1);
          const key = inputView(ops, [1, m, channels], layout, 2);
          ops.peakScores({ query, key, out, outOffset: 3 });
          return { out };
        },
        // Differences of sums over at most 33 channels.
        { relative: 2e-6 },
      );
    },
  );

  it('gives exactly zero to every query’s best key', async () => {
    const { webgpu } = backends;
    const query = inputView(webgpu, [1, 130, 64], 'dense', 5);
    const key = inputView(webgpu, [1, 200, 64], 'dense', 6);
    const out = webgpu.allocate('f32', 200, 'peaks');
    webgpu.peakScores({ query, key, out, outOffset: 0 });
    const peaks = await webgpu.readFloats(out);
    expect(Math.max(...peaks)).toBe(0);
    const q = await webgpu.readFloats(query.buffer);
    const k = await webgpu.readFloats(key.buffer);
    for (let i = 0; i < 130; i++) {
      const dot = (t: number) => {
        let sum = 0;
        for (let c = 0; c < 64; c++) sum += q[i * 64 + c]! * k[t * 64 + c]!;
        return sum;
      };
      const products = Array.from({ length: 200 }, (_, t) => dot(t));
      expect(peaks[products.indexOf(Math.max(...products))], `query ${i}`).toBe(0);
    }
  });

  it.each([
    [1, 1, 0],
    [1, 1, 3],
    [3, 5, 1],
    [2, 64, 3],
    [1, 129, 17],
    [2, 33, 100],
    [0, 5, 1],
    [2, 0, 1],
  ])('dilates %i rows of %i by %i', async (rows, length, radius) => {
    await compare(backends, (ops) => {
      const values = randomFloats(rows * length, 1);
      const special = [Number.NaN, -infinity, infinity];
      for (let i = 0; i < values.length; i++) if (i % 9 === 4) values[i] = special[((i / 9) % 3) | 0]!;
      const out = scoresOut(ops, rows, length);
      ops.dilate({ input: scores(ops, rows, length, values), radius, out });
      return { out: out.buffer };
    });
  });
});

interface TopKCase {
  readonly name: string;
  readonly length: number;
  readonly counts: readonly number[];
  readonly value: (i: number) => number;
  readonly secondary?: (i: number) => number;
}

const noise = randomFloats(4000, 11);
const topKCases: readonly TopKCase[] = [
  { name: 'one entry', length: 1, counts: [0, 1, 5], value: () => 3 },
  { name: 'noise', length: 129, counts: [1, 2, 64, 128, 129, 400], value: (i) => noise[i]! },
  { name: 'noise, two stretches a thread', length: 513, counts: [1, 255, 257, 512], value: (i) => noise[i]! },
  { name: 'noise over many stretches', length: 3001, counts: [17, 1500], value: (i) => noise[i]! },
  {
    name: 'ties over several tiles',
    length: 9001,
    counts: [1, 3000, 4500, 9000],
    value: (i) => Math.round(4 * noise[i % 4000]!),
    secondary: (i) => Math.round(8 * noise[(7 * i) % 4000]!),
  },
  { name: 'constants', length: 65, counts: [1, 31, 65], value: () => -7 },
  { name: 'two values', length: 300, counts: [1, 99, 100, 101, 299], value: (i) => (i % 3 === 1 ? 2 : 1) },
  {
    name: 'differences in the last bit',
    length: 64,
    counts: [1, 20, 63],
    value: (i) => 1 + (i % 5) * 2 ** -23,
  },
  { name: 'signs of zero', length: 33, counts: [1, 10, 32], value: (i) => [0, -0, -1e-45, 1e-45][i % 4]! },
  {
    name: 'NaN and infinities',
    length: 66,
    counts: [1, 20, 40, 60, 66],
    value: (i) => [Number.NaN, -infinity, infinity, -3e38, 3e38, noise[i]!][i % 6]!,
  },
  {
    name: 'ties broken by the secondary score',
    length: 129,
    counts: [1, 30, 64, 65, 120, 129],
    value: (i) => (i % 4 === 0 ? 1 : 0),
    secondary: (i) => noise[i]!,
  },
  {
    name: 'ties in both scores',
    length: 200,
    counts: [1, 40, 50, 51, 130, 200],
    value: (i) => (i % 4 === 0 ? 0 : -1),
    secondary: (i) => [0, -0, Number.NaN, -infinity, 5][i % 5]!,
  },
  {
    name: 'a secondary score that must not matter',
    length: 100,
    counts: [1, 37, 99],
    value: (i) => (i * 37) % 101,
    secondary: (i) => -((i * 37) % 101),
  },
];

describeBoth('topK', (backends) => {
  it.each(topKCases.map((c) => [c.name, c] as const))(
    '%s',
    async (_, { length, counts, value, secondary }) => {
      for (const count of counts) {
        await compare(backends, (ops) => {
          const rows = 2;
          // The second row is the first one reversed.
          const fill = (entry: (i: number) => number) =>
            Float32Array.from({ length: rows * length }, (_, i) =>
              entry(i < length ? i : 2 * length - 1 - i),
            );
          const kept = Math.min(count, length);
          const list = poisonedIntegers(ops, 1 + rows * (kept + 2));
          const tied = poisonedIntegers(ops, rows + 1);
          const out = { buffer: list, offset: 1, sets: rows, count: kept, rowStride: kept + 2 };
          ops.topK({
            score: scores(ops, rows, length, fill(value)),
            secondary: secondary && scores(ops, rows, length, fill(secondary)),
            count,
            indexBase: 1000,
            out,
            tied: { buffer: tied, offset: 1 },
          });
          return { list, tied };
        });
      }
    },
  );

  it('needs no count of ties', async () => {
    await compare(backends, (ops) => {
      const list = poisonedIntegers(ops, 4);
      const score = scores(ops, 1, 70, randomFloats(70, 3));
      ops.topK({
        score,
        count: 4,
        indexBase: 0,
        out: { buffer: list, offset: 0, sets: 1, count: 4, rowStride: 4 },
      });
      return { list };
    });
  });
});

describeBoth('lagScores and segmentRanks', (backends) => {
  it.each([
    [1, 1, 1, 2, 'dense'],
    [2, 5, 3, 6, 'strided'],
    [3, 17, 2, 33, 'token-major'],
    [2, 64, 1, 20, 'dense'],
    [1, 65, 2, 129, 'strided'],
    [2, 5, 0, 8, 'dense'],
  ] as const)(
    '%i heads, lag %i, %i partitions, %i channels, %s',
    async (heads, lag, partitions, channels, layout) => {
      await compare(
        backends,
        (ops) => {
          const rows = (partitions + 1) * lag + 2;
          const key = inputView(ops, [heads, rows, channels], layout, 1, 4);
          const value = inputView(ops, [heads, rows, channels + 1], 'strided', 2);
          const out = scoresOut(ops, heads, partitions * lag);
          const degenerate = ops.upload(Uint32Array.of(40, 9), 'degenerate');
          ops.lagScores({
            key,
            value,
            keyFactor: 0.5,
            valueFactor: 2,
            lagTokens: lag,
            partitions,
            out,
            degenerate,
          });
          return { out: out.buffer, degenerate };
        },
        // Scores are at most 2. With one or two tokens ranges are 1e-12 or small, deviations large.
        { relative: lag < 3 ? 1e-3 : 5e-6 },
      );
    },
  );

  it('counts channels without a range', async () => {
    await compare(
      backends,
      (ops) => {
        const channels = 70;
        const values = randomFloats(2 * 12 * channels, 1).map((x, i) => (i % channels < 3 ? 0.5 : x));
        const key = inputView(ops, [2, 12, channels], 'dense', values);
        const out = scoresOut(ops, 2, 8);
        const degenerate = ops.upload(Uint32Array.of(0), 'degenerate');
        ops.lagScores({
          key,
          value: key,
          keyFactor: 1,
          valueFactor: 1,
          lagTokens: 4,
          partitions: 2,
          out,
          degenerate,
        });
        return { out: out.buffer, degenerate };
      },
      { relative: 5e-6 },
    );
  });

  it.each([
    [1, 1, 1],
    [2, 20, 5],
    [1, 129, 129],
    [3, 64, 32],
    [2, 0, 4],
  ])('ranks %i rows of %i in segments of %i', async (rows, length, segmentLength) => {
    await compare(
      backends,
      (ops) => {
        const values = randomFloats(rows * length, 1).map((x) => Math.round(4 * x) / 4);
        const out = scoresOut(ops, rows, length);
        ops.segmentRanks({ input: scores(ops, rows, length, values), segmentLength, out });
        return { out: out.buffer };
      },
      // One division.
      { relative: 2e-7 },
    );
  });
});
