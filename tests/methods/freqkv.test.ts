import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { headMajorRows } from '../../gpu/rows';
import { plannedBytes } from '../../src/engine/memory/buffers';
import { contextOf, layerInput, methodContext, startTraceRun } from '../../src/measure/trace-run';
import { freqkv } from '../../src/methods/freqkv';
import { compressionMatrix } from '../../src/methods/freqkv/compression-matrix';
import { cacheIn, compressions, storedRows } from '../../src/methods/freqkv/schema';
import type { MethodRun, Selection } from '../../src/methods/method';
import { type Parameters, resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { draw, lcg } from '../golden/lcg';
import { randomLayers, recordText } from './recorded';

const shape = { tokens: 70, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const resolve = (given: Record<string, unknown>, of: Trace): Parameters =>
  resolveParameters(freqkv, given, contextOf(of));
const small = { cacheTokens: 12, sinkTokens: 2, recentTokens: 3, retainedFraction: 0.4 };

const mixed = (matrix: Float32Array, rows: number, column: (token: number) => number): number[] =>
  Array.from({ length: matrix.length / rows }, (_, row) =>
    matrix.subarray(row * rows, (row + 1) * rows).reduce((sum, part, t) => sum + part * column(t), 0),
  );

describe('the matrix of a compression', () => {
  it('gives dct_compress of a ramp', () => {
    const golden = [0.395175, 2.57841, 4.42159, 6.604825];
    for (const [row, value] of mixed(compressionMatrix(8, 4), 8, (token) => token).entries())
      expect(value).toBeCloseTo(golden[row]!, 5);
  });

  it('gives dct_compress of random rows', () => {
    const x = draw(lcg(41), 2 * 8 * 3);
    const golden = [
      [-0.568297, 0.927979, 0.379201],
      [-0.620959, -0.581124, -0.237436],
      [0.647374, 0.555183, 0.192122],
      [0.188897, 0.284018, 0.73606],
      [0.25846, 0.173487, -0.194698],
    ];
    const matrix = compressionMatrix(8, 5);
    for (let channel = 0; channel < 3; channel++) {
      for (const [row, value] of mixed(matrix, 8, (token) => x[token * 3 + channel]!).entries())
        expect(value).toBeCloseTo(golden[row]![channel]!, 5);
    }
  });

  it.each([
    [1, 1],
    [5, 5],
    [60, 30],
    [4092, 2046],
  ])('of %i rows to %i has rows that sum to 1, and is made in a moment', (rows, kept) => {
    for (const sum of mixed(compressionMatrix(rows, kept), rows, () => 1)) expect(sum).toBeCloseTo(1, 5);
  });

  it('leaves rows alone that all stay', () => {
    compressionMatrix(5, 5).forEach((part, i) => {
      expect(part).toBeCloseTo(i % 6 === 0 ? 1 : 0, 12);
    });
  });
});

describe('the cache', () => {
  it('never holds more than its rows, and one less where it would not shrink', () => {
    const text = recordText(createCpuOps(), shape, randomLayers(shape, 1, 1));
    for (const retainedFraction of [0, 0.4, 1]) {
      const parameters = resolve({ ...small, retainedFraction }, text);
      const cache = cacheIn(parameters, 0);
      for (const { start, end } of freqkv.blocks(parameters, 70, 70, contextOf(text))) {
        expect(storedRows(start, cache) + end - start).toBeLessThanOrEqual(12);
        if (end < 70) expect(storedRows(start, cache) + end - start).toBe(12);
        expect(storedRows(start, cache)).toBeLessThan(12);
      }
    }
  });

  it('of layers that differ is compressed where each is full', () => {
    const text = recordText(createCpuOps(), shape, randomLayers(shape, 2, 1));
    const parameters = resolve({ ...small, cacheTokens: [12, 20] }, text);
    const starts = freqkv.blocks(parameters, 70, 70, contextOf(text)).map(({ start }) => start);
    for (const layer of [0, 1]) {
      const cache = cacheIn(parameters, layer);
      for (let token = 1; token < 70; token++) {
        const isFull = compressions(token, cache) > compressions(token - 1, cache);
        if (isFull) expect(starts).toContain(token);
      }
    }
  });

  it('without room beside sinks and recent tokens is refused in a sentence', () => {
    const text = recordText(createCpuOps(), shape, randomLayers(shape, 1, 1));
    expect(() => resolve({ ...small, cacheTokens: 5 }, text)).toThrow(
      'freqkv: a cache of 5 rows has no room beside 2 sinks and 3 recent tokens; cacheTokens must be more than both together.',
    );
  });

  it('is what a budget buys', () => {
    const text = recordText(createCpuOps(), shape, randomLayers(shape, 1, 1));
    const parameters = resolve(small, text);
    const places = { evictAt: 50, answerStart: null };
    const budget = (keep: number) => freqkv.withBudget(parameters, contextOf(text), keep, places);
    expect(budget(0.5)).toEqual({ parameters: { ...parameters, cacheTokens: 35 } });
    expect(budget(6 / 70)).toEqual({ parameters: { ...parameters, cacheTokens: 6 } });
    expect(budget(5.9 / 70)).toEqual({ floor: 6 / 70 });
  });
});

const partsOf = async (of: Trace, { made, list, rangeStart }: Selection) => ({
  made: made && (await Promise.all([made.key, made.value].map(({ buffer }) => of.ops.readFloats(buffer)))),
  sinks: list?.count,
  rangeStart,
});

it('mixes the same when a run returns to its mark, once and again', async () => {
  const ops = createCpuOps();
  const text = recordText(ops, shape, randomLayers(shape, 1, 4));
  const other = recordText(ops, shape, randomLayers(shape, 1, 5));
  const parameters = resolve(small, text);
  const at = (run: MethodRun, of: Trace, start: number) =>
    partsOf(of, run.select(layerInput(of.layerTraces[0]!, { start, end: start + 1 })));
  const undisturbed = freqkv.start(methodContext(text, 70), parameters);
  const wanted = await at(undisturbed, text, 60);
  expect(wanted.made![0]).toHaveLength(2 * 2 * 8);
  for (const mark of [5, 12, 32]) {
    const run = freqkv.start(methodContext(text, 70), parameters);
    await at(run, text, mark);
    run.mark();
    for (let time = 0; time < 2; time++) {
      await at(run, other, 50);
      await at(run, other, 65);
      run.rewind();
    }
    expect(await at(run, text, 60)).toEqual(wanted);
    run.mark();
    await at(run, other, 69);
    run.rewind();
    expect(await at(run, text, 60)).toEqual(wanted);
    run.dispose();
  }
});

it('holds what it says it does, and lets go of all of it', () => {
  const ops = createCpuOps();
  const text = recordText(ops, shape, randomLayers(shape, 2, 4));
  const parameters = resolve({ ...small, cacheTokens: 40, sinkTokens: 0 }, text);
  const before = ops.memory().bytes;
  const context = contextOf(text);
  const blocks = freqkv.blocks(parameters, 70, 70, context);
  const run = freqkv.start(methodContext(text, 70), parameters);
  let most = 0;
  for (const block of blocks) {
    for (const recorded of text.layerTraces) {
      const selection = run.select(layerInput(recorded, block));
      most = Math.max(most, ops.memory().bytes - before);
      ops.release(...selection.owned);
    }
    run.mark();
  }
  const largestBlock = Math.max(...blocks.map(({ start, end }) => end - start));
  const planned = plannedBytes(
    freqkv.memory(parameters, { ...context, largestBlock, hiddenSize: 32, isFreeRun: false, isRotary: true }),
    ops.memoryLimits,
  );
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThanOrEqual(planned);
  run.dispose();
  expect(ops.memory().bytes).toBe(before);
});

it('attends without rotary positions too', async () => {
  const ops = createCpuOps();
  const text = recordText(ops, shape, randomLayers(shape, 1, 4), { rope: null });
  const constant = headMajorRows(ops.upload(new Float32Array(2 * 70 * 8).fill(3), 'value'), 2, 70, 8);
  const alike = { ...text, layerTraces: text.layerTraces.map((layer) => ({ ...layer, value: constant })) };
  const { run, blocks } = await startTraceRun(alike, freqkv, resolve(small, alike), 70);
  const out = headMajorRows(ops.allocate('f32', 4 * 70 * 8, 'output'), 4, 70, 8);
  const lambda = { buffer: ops.allocate('f32', 4 * 70, 'lambda'), offset: 0, headStride: 70 };
  for (const block of blocks) {
    const input = layerInput(alike.layerTraces[0]!, block);
    const rows = { ...out, offset: 8 * block.start, rows: block.end - block.start };
    run.attend!(input, run.select(input), rows, { ...lambda, offset: block.start });
  }
  // Mixtures of rows that are all alike are no others: the matrix's rows sum to 1.
  for (const value of await ops.readFloats(out.buffer)) expect(value).toBeCloseTo(3, 5);
  run.dispose();
});
