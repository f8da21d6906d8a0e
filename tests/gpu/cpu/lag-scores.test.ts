import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { headMajorRows, sliceRows } from '../../../gpu/rows';
import { lag1 } from '../../golden/lag-1';
import { expectClose, input, numbers, output, take } from './views';

const ops = createCpuOps();

function asScores(view: ReturnType<typeof output>) {
  const { buffer, offset, rows, channels, rowStride } = view;
  return { buffer, offset, rows, length: channels, rowStride };
}

describe('lagScores', () => {
  test('LAG-1: official scores, kvpress scores and ranks', async () => {
    const { keyHeads, tokens, channels, lagTokens } = lag1;
    const key = headMajorRows(ops.upload(lag1.key, 'key'), keyHeads, tokens, channels);
    const value = headMajorRows(ops.upload(lag1.value, 'value'), keyHeads, tokens, channels);
    const scores = output(ops, { heads: 1, rows: keyHeads, channels: 12 });
    const a = { key: sliceRows(key, 1, 18), value: sliceRows(value, 1, 18), lagTokens, partitions: 3 };
    ops.lagScores({ ...a, keyFactor: 1, valueFactor: 1, out: asScores(scores) });
    expectClose(await take(ops, scores), lag1.scores.flat(), 2e-6);

    const ranks = output(ops, { heads: 1, rows: keyHeads, channels: 12 });
    ops.segmentRanks({ input: asScores(scores), segmentLength: lagTokens, out: asScores(ranks) });
    expect((await take(ops, ranks)).slice(0, 12)).toEqual(lag1.kvpressRanks.slice(1, 13));

    ops.lagScores({ ...a, keyFactor: 0.5, valueFactor: 0.5, out: asScores(scores) });
    expectClose((await take(ops, scores)).slice(0, 12), lag1.kvpressCrossScores.slice(1, 13), 2e-6);
  });

  test.each([
    [1, 1, 2],
    [2, 3, 5],
    [7, 2, 3],
  ])('partitions of %i tokens, %i of them, %i channels', async (lag, partitions, channels) => {
    const heads = 2;
    const rows = (partitions + 1) * lag + 1;
    const shape = { heads, rows, channels };
    const data = [numbers(lag, heads * rows * channels), numbers(lag + 9, heads * rows * channels)];
    const part = (z: Float32Array, head: number, p: number, i: number) => {
      const start = (head * rows + p * lag + i) * channels;
      return [...z.subarray(start, start + channels)];
    };
    const score = (z: Float32Array, head: number, p: number) => {
      const next = Array.from({ length: lag }, (_, i) => part(z, head, p + 1, i));
      const low = next[0]!.map((_, c) => Math.min(...next.map((row) => row[c]!)));
      const range = next[0]!.map((_, c) =>
        Math.max(1e-12, Math.max(...next.map((row) => row[c]!)) - low[c]!),
      );
      const deviation = Array.from({ length: lag }, (_, i) => {
        const scaled = part(z, head, p, i).map((x, c) => (x - low[c]!) / range[c]!);
        const mean = scaled.reduce((s, x) => s + x, 0) / channels;
        return Math.sqrt(scaled.reduce((s, x) => s + (x - mean) ** 2, 0) / (channels - 1));
      });
      const top = Math.max(...deviation);
      const sum = deviation.reduce((s, x) => s + Math.exp(x - top), 0);
      return deviation.map((x) => Math.exp(x - top) / sum);
    };
    const want: number[] = [];
    for (let head = 0; head < heads; head++) {
      for (let p = 0; p < partitions; p++) {
        const k = score(data[0]!, head, p);
        const v = score(data[1]!, head, p);
        want.push(...k.map((x, i) => 2 * x - 0.5 * v[i]!));
      }
    }
    const out = output(ops, { heads: 1, rows: heads, channels: partitions * lag });
    ops.lagScores({
      key: input(ops, shape, data[0]!, 'token-major'),
      value: input(ops, shape, data[1]!),
      keyFactor: 2,
      valueFactor: -0.5,
      lagTokens: lag,
      partitions,
      out: asScores(out),
    });
    expectClose(await take(ops, out), want, 1e-6);
  });

  test('constant channels of the next partition are counted, and the scores stay finite', async () => {
    const shape = { heads: 2, rows: 6, channels: 3 };
    const key = numbers(1, 36);
    // Head 1, tokens 2 and 3 (partition 1): channels 0 and 2 are constant.
    for (const c of [0, 2]) for (const t of [2, 3]) key[(6 + t) * 3 + c] = 0.25;
    const degenerate = ops.upload(Uint32Array.of(5), 'count');
    const out = output(ops, { heads: 1, rows: 2, channels: 4 });
    ops.lagScores({
      key: input(ops, shape, key),
      value: input(ops, shape, new Float32Array(36)),
      keyFactor: 1,
      valueFactor: 1,
      lagTokens: 2,
      partitions: 2,
      out: asScores(out),
      degenerate,
    });
    const scores = await take(ops, out);
    expect(scores.every(Number.isFinite)).toBe(true);
    // All values are constant: 2 heads × 2 partitions × 3 channels. Equal deviations share the softmax equally.
    expect([...(await ops.readIntegers(degenerate))]).toEqual([5 + 2 + 12]);
    for (let p = 0; p < 4; p++) expect(scores[2 * p]! + scores[2 * p + 1]!).toBeCloseTo(2, 6);
  });

  test('no partitions do nothing', () => {
    const view = input(ops, { heads: 2, rows: 0, channels: 3 }, []);
    const out = asScores(output(ops, { heads: 1, rows: 2, channels: 0 }));
    ops.lagScores({ key: view, value: view, keyFactor: 1, valueFactor: 1, lagTokens: 4, partitions: 0, out });
  });
});

describe('segmentRanks', () => {
  const rank = (x: readonly number[], segment: number) =>
    x.map((a, i) => {
      const start = i - (i % segment);
      let below = 0;
      for (let j = start; j < start + segment; j++) if (x[j]! < a || (x[j]! === a && j < i)) below++;
      return Math.fround(below / segment);
    });

  test.each([1, 2, 5, 20, 40])(
    'segments of %i, with ties, infinities and zeros of both signs',
    async (segment) => {
      const values = [
        [...numbers(segment, 40)],
        [...numbers(segment + 1, 40)].map((x) => Math.round(2 * x)),
        new Array(40).fill(7),
        [...numbers(segment + 2, 40)].map(
          (x, i) => [x, 0, -0, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY][i % 5]!,
        ),
      ];
      const out = output(ops, { heads: 1, rows: 4, channels: 40 });
      const scores = input(ops, { heads: 1, rows: 4, channels: 40 }, values.flat());
      ops.segmentRanks({ input: asScores(scores), segmentLength: segment, out: asScores(out) });
      expect(await take(ops, out)).toEqual(values.flatMap((x) => rank(x, segment)));
    },
  );
});
