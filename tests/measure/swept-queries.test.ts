import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { sweep } from '../../src/measure/sweep';
import { sweptAnswer, sweptNotice, sweptWeight } from '../../src/measure/swept-queries';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { fixtureText, shape } from '../methods/fixture';

describe('tokens of an answer that a sweep takes', () => {
  it('are all of up to 16, and of more 16 evenly spaced ones with the first and the last', () => {
    expect(sweptAnswer({ start: 90, end: 116 }, 100)).toBeNull();
    expect(sweptNotice({ start: 90, end: 116 }, 100)).toBeNull();
    expect(sweptAnswer({ start: 90, end: 200 }, null)).toBeNull();
    const swept = sweptAnswer({ start: 90, end: 146 }, 100)!;
    const taken = [...swept.taken];
    expect(taken).toEqual([100, 103, 106, 109, 112, 115, 118, 121, 124, 127, 130, 133, 136, 139, 142, 145]);
    expect(sweptWeight(swept, 95)).toBe(1);
    expect(sweptWeight(swept, 103)).toBe(46 / 16);
    expect(sweptWeight(swept, 104)).toBe(0);
    expect(sweptNotice({ start: 90, end: 146 }, 100)).toBe(
      "The sweep takes 16 of the answer's 46 tokens, evenly spaced, for all of them.",
    );
  });
});

describe('a sweep of a text with an answer', () => {
  const text = { ...fixtureText(createCpuOps()), answerStart: 165 };
  const specs = [
    ['esa', { projection: 'closed-form', compressedDim: 8, localTokens: 32, chunkTokens: 40, initTokens: 4 }],
    ['lagkv', { lagTokens: 16, sinkTokens: 4 }],
    ['streaming-llm', {}],
    ['streaming-llm', { positions: 'cache' }],
    ['oracle', {}],
  ] as const;
  const methods = specs.map(([id, given], i) => ({
    method: methodById(id),
    parameters: resolveParameters(methodById(id), given, contextOf(text)),
    current: i === 0,
  }));
  const fractions = [0.1, 0.3, 0.6];

  async function probed(queries: { start: number; end: number }, at: number, point: number) {
    const { method, parameters } = methods[at]!;
    const fitted = method.withBudget(parameters, contextOf(text), fractions[point]!, {
      evictAt: queries.start,
      answerStart: text.answerStart,
    });
    return 'parameters' in fitted
      ? measureLayers({ text, method, parameters: fitted.parameters, queries })
      : null;
  }

  it('has the recall and the share of a probe run where it takes every token', async () => {
    const queries = { start: 150, end: 181 };
    const curves = await sweep({ text, methods, fractions, queries });
    let compared = 0;
    for (const [at, { points }] of curves.entries()) {
      for (const [point, found] of points.entries()) {
        const layers = await probed(queries, at, point);
        if (!layers) continue;
        layers.forEach((layer, i) => {
          expect(found.layers![i]).toBeCloseTo(layer.massRecall!, 5);
        });
        const share = layers.reduce((sum, layer) => sum + layer.keptShare, 0) / layers.length;
        expect(found.kept).toBeCloseTo(share, 12);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(9);
  });

  it('has the share of every token of a long answer', async () => {
    const queries = { start: 150, end: shape.tokens };
    expect(sweptAnswer(queries, 165)).not.toBeNull();
    const curves = await sweep({ text, methods, fractions, queries });
    let compared = 0;
    for (const [at, { points }] of curves.entries()) {
      for (const [point, found] of points.entries()) {
        const layers = await probed(queries, at, point);
        if (!layers) continue;
        const share = layers.reduce((sum, layer) => sum + layer.keptShare, 0) / layers.length;
        expect(found.kept).toBeCloseTo(share, 12);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(9);
  });

  it('weighs the tokens that it takes for all of the answer’s', async () => {
    const queries = { start: 150, end: shape.tokens };
    const swept = sweptAnswer(queries, 165)!;
    const [curve] = await sweep({ text, methods: methods.slice(0, 1), fractions, queries });
    const prompt = (await probed({ start: 150, end: 165 }, 0, 1))![2]!;
    let mass = 15 * prompt.massRecall!;
    for (const token of swept.taken) {
      const [, , layer] = (await probed({ start: token, end: token + 1 }, 0, 1))!;
      mass += (27 / 16) * layer!.massRecall!;
    }
    expect(curve!.points[1]!.layers![2]).toBeCloseTo(mass / 42, 5);
  });
});
