/** What is measured of methods whose caches hold mixtures of tokens, or keys of fewer channels, and what is not. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureCost } from '../../src/measure/cost';
import { explainRow } from '../../src/measure/explain-row';
import { MADE_CACHE_REASON, PRUNED_CACHE_REASON } from '../../src/measure/made-cache';
import { measureLayers } from '../../src/measure/measure-layers';
import { KEY_FATES } from '../../src/measure/results';
import { sweep } from '../../src/measure/sweep';
import { contextOf } from '../../src/measure/trace-run';
import { freqkv } from '../../src/methods/freqkv';
import { resolveParameters } from '../../src/methods/parameters';
import { think } from '../../src/methods/think';
import { equivalentBudget } from '../../src/page/equivalent-budget';
import { summarise } from '../../src/page/summary';
import { randomLayers, recordText } from '../methods/recorded';

const shape = { tokens: 70, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const text = recordText(createCpuOps(), shape, randomLayers(shape, 2, 4));
const context = contextOf(text);
const parameters = resolveParameters(freqkv, { cacheTokens: 20, sinkTokens: 2 }, context);
const queries = { start: 50, end: 70 };
const request = { text, method: freqkv, parameters, queries };

it('recall is null with the sentence; the output error is that of the run', async () => {
  const layers = await measureLayers(request);
  for (const layer of layers) {
    const { massRecall, ownMassRecall, topkRecall, topkRows, reason } = layer;
    expect({ massRecall, ownMassRecall, topkRecall, topkRows, reason }).toEqual({
      ...{ massRecall: null, ownMassRecall: null, topkRecall: null, topkRows: 0 },
      reason: MADE_CACHE_REASON,
    });
    expect(layer.outputError).toBeGreaterThan(0);
    expect(layer.outputErrorAsRun).toBe(layer.outputError);
    for (const head of layer.heads) expect(head.massRecall).toBeNull();
  }
  const { massRecall, kept, reason } = summarise(layers)!;
  expect({ massRecall, reason }).toEqual({ massRecall: null, reason: MADE_CACHE_REASON });
  const { density } = measureCost({ ...request, context, answerStart: null, weightOperations: 0 });
  expect(kept).toBeCloseTo(density, 12);
});

it('a sweep says what is kept, and why there is no recall', async () => {
  const [curve] = await sweep({
    ...{ text, queries, fractions: [0.02, 0.3] },
    methods: [{ method: freqkv, parameters, current: true }],
  });
  const [low, point] = curve!.points;
  expect(low).toMatchObject({ kept: null, massRecall: null, floor: 3 / 70 });
  expect(point).toMatchObject({ massRecall: null, layers: null, reason: MADE_CACHE_REASON });
  const at = resolveParameters(freqkv, { ...parameters, cacheTokens: 21 }, context);
  const [layer] = await measureLayers({ ...request, parameters: at });
  expect(point!.kept).toBeCloseTo(layer!.keptShare, 12);
});

it('a query’s row tells mixed tokens from those that stand as themselves', async () => {
  const row = await explainRow({
    text,
    method: freqkv,
    parameters,
    layer: 0,
    head: 0,
    query: 69,
    evictAt: 50,
  });
  const fates = [...row.fates].map((fate) => KEY_FATES[fate]);
  expect(fates.slice(0, 2)).toEqual(['sink', 'sink']);
  expect(fates[10]).toBe('mixed');
  expect(fates).not.toContain('dropped');
  expect(fates.at(-1)).toBe('own-block');
});

it('the budget that gives a cache back is its size', () => {
  expect(equivalentBudget(freqkv, parameters, context, 50, null)).toBeCloseTo(20 / 70, 2);
});

it('keys of fewer channels change the output of every token, and those of all channels nothing', async () => {
  const at = (channelFraction: number) => resolveParameters(think, { channelFraction }, context);
  for (const layer of await measureLayers({ ...request, method: think, parameters: at(0.5) })) {
    expect(layer).toMatchObject({ massRecall: null, keptShare: 1, reason: PRUNED_CACHE_REASON });
    expect(layer.outputError).toBeGreaterThan(1e-3);
  }
  for (const layer of await measureLayers({ ...request, method: think, parameters: at(1) }))
    expect(layer.outputError).toBeLessThan(1e-6);
  expect(equivalentBudget(think, at(0.5), context, 50, null)).toBeNull();
});
