/** LagKV official with a monolithic prefill: dense over the prompt, one compression, then as in chunks. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { measureCost, operationsPerKey } from '../../src/measure/cost';
import { measureLayers } from '../../src/measure/measure-layers';
import { selectAll } from '../../src/measure/select-all';
import { contextOf } from '../../src/measure/trace-run';
import { FULL_AS_TRAINED, full } from '../../src/methods/full';
import { lagkv } from '../../src/methods/lagkv';
import { type Parameters, resolveParameters } from '../../src/methods/parameters';
import type { Trace } from '../../src/trace/trace';
import { someIds, tinyDecoder } from '../engine/tiny-model';
import { fixtureText, shape } from './fixture';

const lengths = { sinkTokens: 4, lagTokens: 16, keepFraction: 0.4 };
const ops = createCpuOps();
const text = fixtureText(ops);
const asked: Trace = { ...text, answerStart: 170 };

const resolve = (prefill: string, of: Trace = text): Parameters =>
  resolveParameters(lagkv, { ...lengths, prefill }, contextOf(of));
const selections = (of: Trace, prefill: string, evictAt: number) =>
  selectAll({
    text: of,
    method: lagkv,
    parameters: resolve(prefill, of),
    traceIndex: 1,
    evictAt,
    withScores: false,
  });

describe('a monolithic prefill', () => {
  it('sees all of the prompt, and keeps of it what chunks keep', async () => {
    const { blocks, after } = await selections(asked, 'monolithic', 150);
    const chunked = await selections(asked, 'chunked', 150);
    const dense = blocks.filter(({ block }) => block.start < 170);
    expect(dense.at(-1)!.block.end).toBe(170);
    const nothingListed = [new Uint32Array(0), new Uint32Array(0)];
    for (const { kept } of dense) expect(kept).toMatchObject({ rangeStart: 0, sets: nothingListed });
    const answer = blocks.filter(({ block }) => block.start >= 170);
    expect(answer).toHaveLength(22);
    expect(answer).toEqual(chunked.blocks.filter(({ block }) => block.start >= 170));
    expect(answer[0]!.kept.sets[0]!.length).toBeLessThan(100);
    expect(after).toEqual(chunked.after);
  });

  it('ends before the queries where a text has no answer', async () => {
    const { blocks } = await selections(text, 'monolithic', 150);
    const { after } = await selections(fixtureText(ops, 150), 'chunked', 150);
    const first = blocks.find(({ block }) => block.start >= 150)!;
    expect(first.block.start).toBe(150);
    expect(first.kept).toEqual(after.kept);
    // Then the chunks go on where they would: 4 + 2 · 16 + 8 · 16 = 164.
    expect(blocks.filter(({ block }) => block.start >= 150).map(({ block }) => block.start)).toEqual([
      150, 164, 180,
    ]);
    for (const { kept, block } of blocks) if (block.start < 150) expect(kept.rangeStart).toBe(0);
  });

  it('keeps after everything what chunks keep after everything', async () => {
    const monolithic = await selections(text, 'monolithic', shape.tokens);
    const chunked = await selections(text, 'chunked', shape.tokens);
    expect(monolithic.after).toEqual(chunked.after);
    expect(monolithic.blocks.every(({ kept }) => kept.rangeStart === 0)).toBe(true);
  });

  it.each([null, 170])(
    'costs attention to as many keys as a probe sees, answer at %j',
    async (answerStart) => {
      const of = { ...text, answerStart };
      const queries = { start: 150, end: shape.tokens };
      const context = contextOf(of);
      const parameters = resolve('monolithic', of);
      const [layer] = await measureLayers({ text: of, method: lagkv, parameters, queries });
      const request = { method: lagkv, context, queries, answerStart, weightOperations: 0, layers: [0] };
      const cost = measureCost({ ...request, parameters });
      expect(cost.attentionOperations).toBeCloseTo(operationsPerKey(context) * layer!.keptKeys, 6);
      // Sinks, 8 or 9 partitions: their tokens are scored once, the later ones one by one.
      const dense = answerStart ?? 150;
      const partitions = Math.floor((dense - 4) / 16) - 1;
      const perToken = 2 * shape.keyValueHeads * (8 * shape.headDimension + 3);
      expect(cost.selectionOperations).toBeCloseTo((perToken * (shape.tokens - dense)) / 42, 6);
      expect(cost.onceOperations).toBe(16 * partitions * perToken);
    },
  );

  it('has a budget for what comes after it', () => {
    const parameters = resolve('monolithic');
    const context = contextOf(text);
    const fitted = lagkv.withBudget(parameters, context, 0.5, { evictAt: 150, answerStart: null });
    if (!('parameters' in fitted)) throw new Error('below the floor');
    // 96 keys: of 180 tokens 10 partitions are compressed and 20 keys stay whole, so 7 of 16 stay of each.
    expect(Math.floor(Number(fitted.parameters.keepFraction) * 16)).toBe(7);
    expect(lagkv.withBudget(parameters, context, 0.1, { evictAt: 150, answerStart: null })).toHaveProperty(
      'floor',
    );
  });

  it('answers with other logits than chunks, and reads the question with full attention', async () => {
    const decoder = await tinyDecoder(ops);
    const ids = someIds(140);
    const states = async (method: typeof lagkv, parameters: Parameters) => {
      const reading = await generate({
        decoder,
        method,
        parameters,
        calibration: null,
        layerTraces: null,
        ids,
        answerStart: 120,
        queriesStart: 100,
        keepQueries: false,
        isAnswerComplete: (generated) => generated.length >= 2,
        signal: new AbortController().signal,
        onProgress: () => {},
      });
      reading.session.release();
      return reading.queryStates;
    };
    const of = { ...contextOf(text), tokens: 140, layers: decoder.config.layers };
    const given = (prefill: string) => resolveParameters(lagkv, { ...lengths, prefill }, of);
    const dense = await states(full, FULL_AS_TRAINED);
    const monolithic = await states(lagkv, given('monolithic'));
    const chunked = await states(lagkv, given('chunked'));
    const width = decoder.config.hiddenSize;
    const distance = (a: Float32Array, b: Float32Array, from: number, to: number): number => {
      let largest = 0;
      for (let i = from * width; i < to * width; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
      return largest;
    };
    expect(distance(monolithic, dense, 0, 20)).toBeLessThan(1e-5);
    expect(distance(chunked, dense, 0, 20)).toBeGreaterThan(1e-3);
    expect(distance(monolithic, chunked, 20, 40)).toBeGreaterThan(1e-3);
    expect(distance(monolithic, dense, 20, 40)).toBeGreaterThan(1e-3);
  });
});
