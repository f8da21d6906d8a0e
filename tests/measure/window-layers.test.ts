/** Layers that see a window by themselves, in a model with soft caps whose layers 0 and 2 do. */
import { afterAll, describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { measureCost } from '../../src/measure/cost';
import { explainRow } from '../../src/measure/explain-row';
import { logitBlocks } from '../../src/measure/logits';
import { measureLayers } from '../../src/measure/measure-layers';
import { KEY_FATES } from '../../src/measure/results';
import { selectAll } from '../../src/measure/select-all';
import { visibleTokens } from '../../src/measure/selection-reader';
import { sweep } from '../../src/measure/sweep';
import { contextOf } from '../../src/measure/trace-run';
import { windowReason } from '../../src/measure/window-layers';
import { FULL_AS_TRAINED, full } from '../../src/methods/full';
import type { Method } from '../../src/methods/method';
import type { Parameters } from '../../src/methods/parameters';
import { resolveParameters } from '../../src/methods/parameters';
import { streamingLlm } from '../../src/methods/streaming-llm';
import { forward } from '../../src/model/decoder/forward';
import { attentionOfTiles } from '../../src/tiles/attention';
import { FirstWeights } from '../../src/tiles/factors';
import { TILE_PIXELS } from '../../src/tiles/grid';
import { traceOfSession } from '../../src/trace/from-decoder';
import { windowsOf } from '../../src/trace/trace';
import { openArchitecture } from '../model/architectures';

const WINDOW = 8;
const WINDOWED = [0, 2];
const ops = createCpuOps();
const { decoder, expected } = await openArchitecture(ops, 'gemma2');
const ids = Uint32Array.from(expected.int32('input_ids'));
const { reader } = await forward(decoder, ids);
const text = traceOfSession(decoder, reader, { tokens: ids.length, calibration: null });
afterAll(() => {
  text.release();
  decoder.release();
  expect(ops.memory().bytes, 'everything is released').toBe(0);
  ops.destroy();
});

const queries = { start: 20, end: ids.length };
const parametersOf = (method: Method, given: Parameters = {}): Parameters =>
  resolveParameters(method, given, contextOf(text));
const streaming = parametersOf(streamingLlm, { keepFraction: 0.25 });

test('are known to the trace, unless the text is shorter', async () => {
  expect([...windowsOf(text)]).toEqual(WINDOWED.map((layer) => [layer, WINDOW]));
  const short = await forward(decoder, ids.subarray(0, WINDOW));
  const all = traceOfSession(decoder, short.reader, { tokens: WINDOW, calibration: null });
  expect(windowsOf(all).size).toBe(0);
  all.release();
});

test('have no recall and keep their window, with every method; others are measured as ever', async () => {
  const layers = await measureLayers({ text, method: streamingLlm, parameters: streaming, queries });
  expect(layers.map(({ layer }) => layer)).toEqual([0, 1, 2]);
  for (const { layer, window, reason, massRecall, keptKeys, keptShare, outputError, heads } of layers) {
    if (!WINDOWED.includes(layer)) {
      expect([window, reason]).toEqual([undefined, undefined]);
      expect(massRecall).toBeGreaterThan(0);
      expect(massRecall).toBeLessThan(1);
      continue;
    }
    expect({ window, reason, massRecall, keptKeys, keptShare, outputError }).toEqual({
      ...{ window: WINDOW, reason: windowReason(WINDOW), massRecall: null },
      ...{ keptKeys: WINDOW, keptShare: 1, outputError: 0 },
    });
    expect(heads.map((head) => head.massRecall)).toEqual([null, null, null, null]);
  }
});

test('are left out of a sweep’s means, and are null by layer', async () => {
  const [curve] = await sweep({
    ...{ text, queries, fractions: [0.5] },
    methods: [{ method: streamingLlm, parameters: streaming, current: true }],
  });
  const { massRecall, layers, kept } = curve!.points[0]!;
  expect(layers).toEqual([null, massRecall, null]);
  expect(kept).toBeLessThan(1);
});

test('show every query its window: in what is kept, and in why', async () => {
  const { blocks, after } = await selectAll({
    ...{ text, method: streamingLlm, parameters: streaming, traceIndex: 2 },
    ...{ evictAt: 20, withScores: false },
  });
  expect(blocks.map(({ block, kept }) => visibleTokens(kept, 0, block.end).length)).toEqual(
    Array.from(ids, (_, token) => Math.min(WINDOW, token + 1)),
  );
  expect([...visibleTokens(after.kept, 0, ids.length)]).toEqual([32, 33, 34, 35, 36, 37, 38, 39]);
  const row = await explainRow({
    ...{ text, method: streamingLlm, parameters: streaming, layer: 2, head: 1, query: 30, evictAt: 20 },
  });
  const fates = Array.from(row.fates, (fate) => KEY_FATES[fate]);
  expect(fates.slice(22, 32)).toEqual(['dropped', ...new Array(WINDOW).fill('local'), 'future']);
  expect(row.rule.kind).toBe('window');
  expect(row.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 5);
  expect([...row.weights.subarray(0, 23)].every((weight) => weight === 0)).toBe(true);
});

test('are drawn with their window: no weight outside it, and each query’s weights sum to 1', async () => {
  const place = { layer: 0, head: 0, level: 0, row: 0, column: 0 };
  const work = [{ ...place, lineStart: 0, lineEnd: ids.length, rowStep: 1 }];
  const firstWeights = new FirstWeights(text);
  const { lines } = await attentionOfTiles(text, work, new AbortController().signal, firstWeights);
  firstWeights.close();
  for (let query = 0; query < ids.length; query++) {
    const weights = lines[0]!.maximum.subarray(query * TILE_PIXELS, query * TILE_PIXELS + query + 1);
    const hidden = weights.subarray(0, Math.max(0, query + 1 - WINDOW));
    expect([...hidden].every((weight) => weight === 0)).toBe(true);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 4);
  }
});

test('cost what their window costs, with every method', () => {
  const context = contextOf(text);
  const request = { context, queries, answerStart: null, weightOperations: 0, windows: windowsOf(text) };
  const of = (method: Method, parameters: Parameters, layers: readonly number[]) =>
    measureCost({ ...request, method, parameters, layers });
  const ofWindow = of(streamingLlm, streaming, [0]);
  expect(ofWindow.attentionOperations).toBe(ofWindow.fullAttentionOperations);
  expect(ofWindow.fullAttentionOperations).toBe(WINDOW * 4 * (4 * 8 + 3));
  const whole = of(streamingLlm, streaming, [0, 1, 2]);
  const other = of(streamingLlm, streaming, [1]);
  expect(whole.fullAttentionOperations).toBe(
    2 * ofWindow.fullAttentionOperations + other.fullAttentionOperations,
  );
});

describe('a free run', () => {
  async function statesOf(method: Method, parameters: Parameters): Promise<Float32Array> {
    const generation = await generate({
      ...{ decoder, method, parameters, calibration: null, layerTraces: null, ids, answerStart: null },
      ...{ queriesStart: 0, evictAt: 20, keepQueries: false, isAnswerComplete: () => false },
      ...{ signal: new AbortController().signal, onProgress: () => {} },
    });
    const logits: number[] = [];
    for await (const block of logitBlocks(decoder, generation.queryStates)) logits.push(...block.logits);
    generation.session.release();
    return Float32Array.from(logits);
  }
  const wanted = expected.float32('logits');
  const worst = (actual: Float32Array, from: number, to: number): number => {
    const V = decoder.config.vocabularySize;
    let largest = 0;
    for (let i = from * V; i < to * V; i++) largest = Math.max(largest, Math.abs(actual[i]! - wanted[i]!));
    return largest;
  };

  test('with full attention gives transformers’ logits, one that keeps everything, too', async () => {
    expect(worst(await statesOf(full, FULL_AS_TRAINED), 0, ids.length)).toBeLessThan(3e-5);
    const everything = parametersOf(streamingLlm, { keepFraction: 1 });
    expect(worst(await statesOf(streamingLlm, everything), 0, ids.length)).toBeLessThan(3e-5);
  });

  test('changes what follows an eviction, through the other layer', async () => {
    const logits = await statesOf(streamingLlm, streaming);
    expect(worst(logits, 0, 20)).toBeLessThan(3e-5);
    expect(worst(logits, 21, ids.length)).toBeGreaterThan(1e-3);
  });
});
