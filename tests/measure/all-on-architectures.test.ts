/** Every method on models with what Llama has not: soft caps and windows, layers without positions, positions of a part of the channels. */
import { afterAll, describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { measureLayers } from '../../src/measure/measure-layers';
import { contextOf } from '../../src/measure/trace-run';
import { methodById, methods } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { forward } from '../../src/model/decoder/forward';
import { traceOfSession } from '../../src/trace/from-decoder';
import { textRead } from '../../src/trace/rereading';
import { openArchitecture } from '../model/architectures';

const EVICT_AT = 24;

describe.each(['gemma2', 'smollm3', 'gpt-neox'])('%s', async (name) => {
  const ops = createCpuOps();
  const { decoder, expected } = await openArchitecture(ops, name);
  const ids = Uint32Array.from(expected.int32('input_ids'));
  const { reader } = await forward(decoder, ids, { keepHidden: true });
  const tokenizer = { encode: () => [5, 6], tokenTexts: (some: readonly number[]) => some.map(String) };
  const read = textRead(ids, tokenizer);
  const text = traceOfSession(decoder, reader, { tokens: ids.length, calibration: null, read });
  afterAll(() => {
    text.release();
    decoder.release();
    expect(ops.memory().bytes, 'everything is released').toBe(0);
    ops.destroy();
  });

  test.each(methods.map((method) => [method.id, method] as const))('%s', async (_, method) => {
    const context = contextOf(text);
    const parameters = resolveParameters(method, {}, context);
    const queries = { start: EVICT_AT, end: ids.length };
    const layers = await measureLayers({ text, method, parameters, queries });
    for (const { window, massRecall, outputError } of layers) {
      expect(Number.isFinite(outputError)).toBe(true);
      if (window !== undefined) expect(massRecall).toBeNull();
    }
    const { session, queryStates } = await generate({
      ...{ decoder, method, parameters, calibration: null, layerTraces: text.layerTraces },
      ...{ rereading: text.rereading, ids, answerStart: null, queriesStart: EVICT_AT, keepQueries: false },
      ...{ isAnswerComplete: () => false, signal: new AbortController().signal, onProgress: () => {} },
    });
    session.release();
    expect(queryStates.every(Number.isFinite)).toBe(true);
  });

  test('places in the cache change nothing in a layer without positions, and something in others', async () => {
    const method = methodById('streaming-llm');
    const parameters = resolveParameters(method, { positions: 'cache', keepFraction: 0.3 }, contextOf(text));
    const layers = await measureLayers({
      text,
      method,
      parameters,
      queries: { start: EVICT_AT, end: ids.length },
    });
    for (const { layer, window, outputError, outputErrorAsRun } of layers) {
      if (window !== undefined) continue;
      const difference = Math.abs(outputErrorAsRun - outputError);
      if (text.rotationOf(layer)) expect(difference).toBeGreaterThan(1e-5);
      else expect(difference).toBeLessThan(1e-6);
    }
    expect(layers.map(({ layer }) => text.rotationOf(layer) !== null)).toEqual(
      name === 'smollm3' ? [true, false, true] : [true, true, true],
    );
  });
});
