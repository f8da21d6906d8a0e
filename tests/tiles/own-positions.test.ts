/**
 * The map under ESA's own positions, against dense weights in 64-bit numbers that are made here from un-rotated queries and keys:
 * far keys at 0 seen from w, near ones at their distances.
 */
import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import type { Rows } from '../../gpu/rows';
import { explainRow } from '../../src/measure/explain-row';
import { measureLayers } from '../../src/measure/measure-layers';
import { contextOf } from '../../src/measure/trace-run';
import { esa } from '../../src/methods/esa';
import { resolveParameters } from '../../src/methods/parameters';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { forward } from '../../src/model/decoder/forward';
import { rotaryFrequencies } from '../../src/model/decoder/rope';
import { causalCells, linesOf, TILE_PIXELS, tokensPerPixel } from '../../src/tiles/grid';
import { OwnPositions } from '../../src/tiles/own-positions';
import { partsOfPiece } from '../../src/tiles/parts';
import type { PooledLines } from '../../src/tiles/requests';
import { traceOfSession } from '../../src/trace/from-decoder';
import { someIds, tinyDecoder } from '../engine/tiny-model';
import { fileJson } from '../model/files';

const TOKENS = 150;
const ANSWER = 143;
const [LAYER, HEAD] = [1, 3];
const { signal } = new AbortController();

describe('under ESA’s own positions', async () => {
  const ops = createCpuOps();
  const decoder = await tinyDecoder(ops);
  const { reader } = await forward(decoder, someIds(TOKENS));
  const text = traceOfSession(decoder, reader, { tokens: TOKENS, calibration: null, answerStart: ANSWER });
  const parameters = resolveParameters(
    esa,
    {
      projection: 'exact',
      chunkTokens: 20,
      localTokens: 27,
      globalPosition: 30,
      initTokens: 3,
      selectedTokens: 9,
    },
    contextOf(text),
  );
  const own = new OwnPositions(text, esa, parameters, 130);
  const blockStart = (query: number): number => (query >= ANSWER ? query : Math.floor(query / 20) * 20);
  const farEnd = (query: number): number => Math.max(0, blockStart(query) - 27);

  const recorded = text.layerTraces[LAYER]!;
  const vectors = async ({ buffer, offset, headStride, rowStride, channels }: Rows, head: number) => {
    const values = await ops.readFloats(buffer);
    return (token: number): number[] =>
      Array.from({ length: channels }, (_, c) => values[offset + head * headStride + token * rowStride + c]!);
  };
  const queryOf = await vectors(recorded.queryUnrotated!, HEAD);
  const keyOf = await vectors(
    recorded.keyUnrotated!,
    Math.floor((HEAD * text.keyValueHeads) / text.queryHeads),
  );
  const frequencies = rotaryFrequencies(
    (await parseConfig(fileJson('tests/fixtures/llama-gqa/config.json'))).rope!,
    text.headDimension,
    text.tokens,
  );
  /** q · k with the query `distance` positions after the key. */
  const product = (query: number[], key: number[], distance: number): number => {
    const half = frequencies.length;
    let sum = 0;
    for (let j = 0; j < half; j++) {
      const [cosine, sine] = [Math.cos(distance * frequencies[j]!), Math.sin(distance * frequencies[j]!)];
      const [a, b] = [
        query[j]! * cosine - query[j + half]! * sine,
        query[j]! * sine + query[j + half]! * cosine,
      ];
      sum += a * key[j]! + b * key[j + half]!;
    }
    return sum;
  };
  const dense = Array.from({ length: TOKENS }, (_, query) => {
    const scores = Array.from({ length: query + 1 }, (_, key) => {
      const distance = key < farEnd(query) ? 30 : query - key;
      return product(queryOf(query), keyOf(key), distance) * text.scores.scale;
    });
    const sum = scores.reduce((total, score) => total + Math.exp(score), 0);
    return scores.map((score) => Math.exp(score) / sum);
  });
  const limitOf = (query: number, key: number): number => {
    const others = 1 - dense[query]!.slice(0, 4).reduce((sum, weight) => sum + weight, 0);
    if (key < 4) return 0.01;
    return others >= 0.01 ? 0.01 * others : Number.POSITIVE_INFINITY;
  };

  const ask = async (level: number, row: number, column: number, rowStep = 1): Promise<PooledLines> => {
    const place = { level, row, column };
    const work = {
      layer: LAYER,
      head: HEAD,
      ...place,
      lineStart: 0,
      lineEnd: linesOf(place, TOKENS),
      rowStep,
    };
    return (await own.attention([work], signal)).lines[0]!;
  };

  test('a cell has the weight of far keys seen from w, and of near ones at their distance', async () => {
    for (const [row, column] of [
      [0, 0],
      [1, 0],
      [1, 1],
    ] as const) {
      const { maximum, mean, excess } = await ask(0, row, column);
      for (let at = 0; at < maximum.length; at++) {
        const query = row * TILE_PIXELS + Math.floor(at / TILE_PIXELS);
        const key = column * TILE_PIXELS + (at % TILE_PIXELS);
        const weight = key <= query ? dense[query]![key]! : 0;
        expect(Math.abs(maximum[at]! - weight), `query ${query}, key ${key}`).toBeLessThan(2e-6);
        expect(mean[at]).toBe(maximum[at]);
        expect(Math.abs(excess[at]! - weight / limitOf(query, key))).toBeLessThan(2e-3);
      }
    }
  });

  test.each([
    [1, 1],
    [2, 2],
    [3, 1],
    [3, 4],
    [5, 8],
  ])('pixels of level %i, every %i. row, pool them', async (level, rowStep) => {
    const scale = tokensPerPixel(level);
    const { maximum, mean, excess } = await ask(level, 0, 0, rowStep);
    const side = Math.ceil(TOKENS / scale);
    for (let at = 0; at < side * side; at++) {
      const [y, x] = [Math.floor(at / side), at % side];
      const rows: number[] = [];
      // Every block of a pixel begins to count anew.
      let last = -1;
      for (let query = y * scale, step = 0; query < Math.min(TOKENS, (y + 1) * scale); query++, step++) {
        if (blockStart(query) !== last) step = 0;
        last = blockStart(query);
        if (step % rowStep === 0) rows.push(query);
      }
      const cells = rows.flatMap((query) =>
        Array.from({ length: scale }, (_, i) => [query, x * scale + i] as const).filter(
          ([q, key]) => key <= q,
        ),
      );
      const weights = cells.map(([query, key]) => dense[query]![key]!);
      const pixel = y * TILE_PIXELS + x;
      expect(maximum[pixel], `${y}, ${x}`).toBeCloseTo(Math.max(0, ...weights), 5);
      const sum = weights.reduce((total, weight) => total + weight, 0);
      expect(mean[pixel], `${y}, ${x}`).toBeCloseTo(sum / Math.max(1, cells.length), 5);
      const ratios = cells.map(([query, key]) => dense[query]![key]! / limitOf(query, key));
      expect(Math.abs(excess[pixel]! - Math.max(0, ...ratios))).toBeLessThan(2e-3);
    }
  });

  test('a row’s weights are the same, and its kept ones sum to own mass recall', async () => {
    const of = {
      text,
      method: esa,
      parameters,
      layer: LAYER,
      head: HEAD,
      evictAt: 130,
      positions: 'own',
    } as const;
    let kept = 0;
    const queries = { start: 130, end: TOKENS };
    for (let query = queries.start; query < queries.end; query++) {
      const row = await explainRow({ ...of, query });
      expect(row.positions).toBe('own');
      for (let key = 0; key < TOKENS; key++) {
        expect(Math.abs(row.weights[key]! - (dense[query]![key] ?? 0))).toBeLessThan(2e-6);
        if (row.fates[key]! > 0 && row.fates[key]! < 5) kept += row.weights[key]!;
      }
      expect(row.firstWeight).toBeCloseTo(
        dense[query]!.slice(0, 4).reduce((a, b) => a + b),
        5,
      );
    }
    const layers = await measureLayers({ text, method: esa, parameters, queries });
    const { ownMassRecall, massRecall } = layers[LAYER]!.heads[HEAD]!;
    expect(kept / (queries.end - queries.start)).toBeCloseTo(ownMassRecall!, 5);
    expect(ownMassRecall, 'the model’s positions give something else').not.toBeCloseTo(massRecall!, 3);
  });

  test('parts have every causal cell of a piece once', () => {
    const spans = [0, 20, 40, 60, 80, 100, 120, 140, 143, 144, 145, 146, 147, 148, 149].map(
      (start, i, all) => ({
        start,
        end: all[i + 1] ?? TOKENS,
        farEnd: Math.max(0, start - 27),
      }),
    );
    for (const [level, row, column] of [
      [0, 0, 0],
      [0, 1, 0],
      [1, 0, 0],
      [4, 0, 0],
    ] as const) {
      const scale = tokensPerPixel(level);
      const [rowStart, keyStart] = [row * TILE_PIXELS * scale, column * TILE_PIXELS * scale];
      const parts = partsOfPiece(
        {
          ...{ rowStart, rowEnd: Math.min(TOKENS, rowStart + TILE_PIXELS * scale), keyStart },
          ...{ keyEnd: Math.min(TOKENS, keyStart + TILE_PIXELS * scale), tokensPerPixel: scale },
        },
        spans,
      );
      const seen = new Set<number>();
      for (const part of parts) {
        for (let query = part.rowStart; query < part.rowEnd; query++) {
          for (let key = part.keyStart; key < Math.min(part.keyEnd, query + 1); key++) {
            expect(seen.has(query * TOKENS + key)).toBe(false);
            seen.add(query * TOKENS + key);
            expect(part.isFar).toBe(key < spans.find(({ end }) => query < end)!.farEnd);
            expect(part.line + Math.floor((query - part.rowStart) / scale)).toBe(
              Math.floor((query - rowStart) / scale),
            );
            expect(part.column + Math.floor((key - part.keyStart) / scale)).toBe(
              Math.floor((key - keyStart) / scale),
            );
          }
        }
      }
      expect(seen.size).toBe(causalCells({ level, row, column }, TOKENS));
    }
  });

  test('leave nothing behind, and end with a sentence when the method changes', async () => {
    await ask(0, 1, 0);
    const before = ops.memory().bytes;
    const again = new OwnPositions(text, esa, parameters, 130);
    const work = { layer: 0, head: 0, level: 0, row: 1, column: 0, lineStart: 0, lineEnd: 4, rowStep: 1 };
    const asked = again.attention([work], signal);
    again.dispose();
    await expect(asked).rejects.toThrow('Another method is being run');
    expect(ops.memory().bytes).toBe(before);
  });
});
