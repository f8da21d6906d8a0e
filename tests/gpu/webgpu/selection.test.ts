import { expect, it } from 'vitest';
import { LOWEST_SCORE } from '../../../gpu/ops';
import { sliceRows } from '../../../gpu/rows';
import { readScoreRows } from '../../../src/measure/selection-reader';
import {
  compare,
  describeBoth,
  inputScores,
  inputView,
  type Layout,
  outputView,
  poisoned,
  randomFloats,
  scoresOut,
} from './both';

const infinity = Number.POSITIVE_INFINITY;

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

describeBoth('esaImportance', (backends) => {
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
          ops.esaImportance({ query, key, out, outOffset: 3 });
          return { out };
        },
        // Differences of sums over at most 33 channels.
        { relative: 2e-6 },
      );
    },
  );

  it.each([
    [1, 1, 1, 1, 'dense'],
    [1, 65, 65, 4, 'dense'],
    [3, 4, 2, 6, 'strided'],
    [8, 71, 64, 20, 'dense'],
    [9, 40, 33, 33, 'strided'],
    [28, 300, 273, 8, 'dense'],
    [65, 129, 65, 12, 'dense'],
    [4, 3, 9, 8, 'dense'],
    [4, 5, 0, 8, 'dense'],
    [0, 7, 3, 8, 'dense'],
    [3, 0, 2, 8, 'dense'],
    [3, 7, 2 ** 32 - 1, 8, 'dense'],
  ] as [number, number, number, number, Layout][])(
    'peaks by query of %i queries, %i keys, the first with %i, %i channels, %s',
    async (n, m, firstLength, channels, layout) => {
      await compare(
        backends,
        (ops) => {
          const query = inputView(ops, [1, n, channels], layout, 1);
          const key = inputView(ops, [1, m, channels], layout, 2);
          const out = scoresOut(ops, n, m);
          ops.esaImportanceByQuery({ query, key, firstLength, out });
          return { out: out.buffer };
        },
        { relative: 2e-6 },
      );
    },
  );

  it('peaks by query are those of each query alone over the keys it sees', async () => {
    for (const ops of [backends.cpu, backends.webgpu]) {
      const [n, m, first, channels] = [11, 90, 79, 24];
      const query = inputView(ops, [1, n, channels], 'dense', 5);
      const key = inputView(ops, [1, m, channels], 'dense', 6);
      const all = scoresOut(ops, n, m);
      ops.esaImportanceByQuery({ query, key, firstLength: first, out: all });
      const rows = await readScoreRows(ops, all);
      for (let i = 0; i < n; i++) {
        const seen = Math.min(m, first + i);
        const alone = ops.allocate('f32', seen, 'peaks');
        ops.esaImportance({
          query: sliceRows(query, i, 1),
          key: sliceRows(key, 0, seen),
          out: alone,
          outOffset: 0,
        });
        const expected = await ops.readFloats(alone);
        for (let j = 0; j < m; j++) {
          if (j >= seen) expect(rows[i]![j]).toBe(Math.fround(LOWEST_SCORE));
          else if (ops.backend === 'cpu') expect(rows[i]![j]).toBe(expected[j]);
          else expect(Math.abs(rows[i]![j]! - expected[j]!)).toBeLessThan(2e-6 * channels);
        }
        expect(Math.max(...rows[i]!)).toBe(0);
      }
    }
  });

  it('gives exactly zero to every query’s best key', async () => {
    const { webgpu } = backends;
    const query = inputView(webgpu, [1, 130, 64], 'dense', 5);
    const key = inputView(webgpu, [1, 200, 64], 'dense', 6);
    const out = webgpu.allocate('f32', 200, 'peaks');
    webgpu.esaImportance({ query, key, out, outOffset: 0 });
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
        // Scores are shares of a partition. With one or two tokens ranges are 1e-12 or small, deviations large.
        { relative: lag < 3 ? 1e-3 : 5e-6, least: 0 },
      );
    },
  );

  it.each([
    // One token, one lane; more lanes than a token has; partitions shorter, as long and longer than what is loaded at once.
    [1, 3, 1, 4, 'dense'],
    [2, 5, 3, 8, 'token-major'],
    [2, 16, 4, 64, 'dense'],
    [1, 17, 3, 64, 'token-major'],
    [3, 33, 2, 24, 'dense'],
    [1, 8, 2, 128, 'dense'],
    [1, 9, 2, 252, 'dense'],
    [1, 129, 2, 12, 'dense'],
    // Longer and wider than the kernel that walks partitions takes.
    [1, 513, 1, 4, 'dense'],
    [1, 3, 2, 260, 'dense'],
    // More partitions than workgroups keep a large GPU busy: each takes several.
    [1, 3, 1100, 4, 'dense'],
    [2, 4, 1537, 8, 'token-major'],
  ] as const)(
    'in vectors: %i heads, lag %i, %i partitions, %i channels, %s',
    async (heads, lag, partitions, channels, layout) => {
      await compare(
        backends,
        (ops) => {
          const rows = (partitions + 1) * lag;
          const key = inputView(ops, [heads, rows, channels], layout, 1, 4);
          const value = inputView(ops, [heads, rows, channels + 4], 'dense', 2);
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
        // Scores are shares of a partition. Of few tokens some ranges are small, and so some deviations large.
        { relative: lag < 8 ? 2e-4 : 5e-6, least: 0 },
      );
    },
  );

  it.each([70, 72])('counts channels without a range, of %i', async (channels) => {
    await compare(
      backends,
      (ops) => {
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
      { relative: 5e-6, least: 0 },
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
        ops.segmentRanks({ input: inputScores(ops, rows, length, values), segmentLength, out });
        return { out: out.buffer };
      },
      // One division.
      { relative: 2e-7 },
    );
  });
});
