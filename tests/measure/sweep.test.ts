import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { sweep } from '../../src/measure/sweep';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { expectClose } from '../methods/agreement';
import { fixtureText, shape } from '../methods/fixture';

const text = fixtureText(createCpuOps());
const queries = { start: 150, end: shape.tokens };
const fractions = [0.1, 0.3, 0.5, 0.9];
const specs = [
  ['esa', { projection: 'closed-form', compressedDim: 8, localTokens: 32, chunkTokens: 40, initTokens: 4 }],
  ['lagkv', { lagTokens: 16, sinkTokens: 4 }],
  ['lagkv', { variant: 'kvpress', lagTokens: 16 }],
  ['streaming-llm', {}],
  ['streaming-llm', { positions: 'cache' }],
  ['oracle', {}],
  ['random', { seed: 5 }],
] as const;

describe('sweep', () => {
  it('equals separate probes, from one recomputation of the weights', async () => {
    let recomputed = 0;
    const ops = text.ops;
    const counting = {
      ...ops,
      massByGroup(a: Parameters<typeof ops.massByGroup>[0]) {
        recomputed++;
        ops.massByGroup(a);
      },
    };
    const methods = specs.map(([id, given], i) => ({
      method: methodById(id),
      parameters: resolveParameters(methodById(id), given, contextOf(text)),
      current: i === 0,
    }));
    const before = ops.memory().bytes;
    const curves = await sweep({ text: { ...text, ops: counting }, methods, fractions, queries });
    expect(ops.memory().bytes).toBe(before);
    // Blocks of different methods cut the 42 queries into these stretches: 150, 160, 164 (lag), 168 (chunks of 24), 180, 192.
    expect(recomputed / text.layerTraces.length).toBeLessThanOrEqual(6);
    expect(curves.map(({ current }) => current)).toEqual(specs.map((_, i) => i === 0));

    for (const [i, { method, parameters }] of methods.entries()) {
      for (const [point, keep] of fractions.entries()) {
        const found = curves[i]!.points[point];
        expect(found!.keep).toBe(keep);
        const fitted = method.withBudget(parameters, contextOf(text), keep, {
          ...{ evictAt: queries.start, answerStart: text.answerStart },
        });
        if ('reason' in fitted) throw new Error(fitted.reason);
        if ('floor' in fitted) {
          expect(found).toEqual({ keep, kept: null, massRecall: null, layers: null, floor: fitted.floor });
          expect(fitted.floor).toBeGreaterThan(keep);
          continue;
        }
        const layers = await measureLayers({ text, method, parameters: fitted.parameters, queries });
        expectClose(
          found!.layers! as number[],
          layers.map(({ massRecall }) => massRecall!),
        );
        const mean = layers.reduce((sum, layer) => sum + layer.massRecall!, 0) / layers.length;
        expect(found!.massRecall).toBeCloseTo(mean, 5);
        const kept = layers.reduce((sum, layer) => sum + layer.keptShare, 0) / layers.length;
        expect(Math.abs(found!.kept! - kept)).toBeLessThan(1e-9);
      }
    }
    const nullPoints = curves.flatMap(({ points }) => points.filter(({ massRecall }) => massRecall === null));
    expect(nullPoints.length).toBeGreaterThan(0);
    expect(nullPoints.length).toBeLessThan(specs.length * fractions.length);
  });

  it('is highest with the oracle among methods whose blocks see as many keys, and rises with the budget', async () => {
    // A sliding window has as many keys before the same blocks; whole blocks are measured.
    const methods = [
      ['oracle', {}] as const,
      ['streaming-llm', { positions: 'cache' }] as const,
      ['streaming-llm', { positions: 'cache', sinkTokens: 0 }] as const,
    ].map(([id, given]) => ({
      method: methodById(id),
      parameters: resolveParameters(methodById(id), given, contextOf(text)),
      current: false,
    }));
    const blocks = { start: 128, end: shape.tokens };
    const curves = await sweep({ text, methods, fractions, queries: blocks });
    for (const [point] of fractions.entries()) {
      const kept = curves.map(({ points }) => points[point]!.kept!);
      expect(kept[1]).toBeCloseTo(kept[0]!, 12);
      expect(kept[2]).toBeCloseTo(kept[0]!, 12);
    }
    const recall = curves.map(({ points }) => points.map((point) => point.massRecall!));
    for (const [point] of fractions.entries()) {
      // Where every key is kept, all reach 1, but for rounding.
      const rounding = curves[0]!.points[point]!.kept === 1 ? 1e-6 : 0;
      expect(recall[0]![point]).toBeGreaterThan(recall[1]![point]! - rounding);
      expect(recall[0]![point]).toBeGreaterThan(recall[2]![point]! - rounding);
      if (point > 0) for (const curve of recall) expect(curve[point]).toBeGreaterThan(curve[point - 1]!);
    }
  });
});
