/** What a budget promises of LagKV official: no query of the study finds more earlier keys, and one more of a partition would. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { selectAll } from '../../src/measure/select-all';
import { contextOf } from '../../src/measure/trace-run';
import { studyBlocks } from '../../src/methods/blocks';
import { lagkv } from '../../src/methods/lagkv';
import { lagIn } from '../../src/methods/lagkv/schema';
import { lrsa } from '../../src/methods/lrsa';
import { type ParameterContext, type Parameters, resolveParameters } from '../../src/methods/parameters';
import { fixtureText } from './fixture';

interface Lengths {
  readonly sinkTokens: number;
  readonly lagTokens: number;
}

/**
 * Keys that each block finds, as LagKV.update (lag_kv.py) stores them: after a block, once S + 2L tokens are uncompressed, all full
 * partitions but the last are, `kept` of each staying. Blocks below `dense` are read without compression.
 */
function found(starts: readonly number[], dense: number, { sinkTokens, lagTokens }: Lengths, kept: number) {
  let stored = 0;
  let open = 0;
  return starts.map((start, at) => {
    const read = start - (starts[at - 1] ?? 0);
    stored += read;
    open += read;
    while (start >= dense && open >= sinkTokens + 2 * lagTokens) {
      stored -= lagTokens - kept;
      open -= lagTokens;
    }
    return stored;
  });
}

/** Of one seed, [0, 1). */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const contextFor = (tokens: number): ParameterContext => ({
  ...{ tokens, trainedTokens: 1024, layers: 2, queryHeads: 2, keyValueHeads: 2, headDimension: 4 },
});

describe.each(['chunked', 'monolithic'])('a budget of LagKV official, %s', (prefill) => {
  it('holds for every query of the study and is used as far as it goes', () => {
    const random = randoms(prefill.length);
    const upTo = (most: number): number => Math.floor(random() * (most + 1));
    let answers = 0;
    let floors = 0;
    let fits = 0;
    for (let round = 0; round < 3000; round++) {
      const tokens = 20 + upTo(400);
      const answerStart = round % 3 === 0 ? null : tokens - 1 - upTo(Math.min(60, tokens - 2));
      const evictAt = upTo(tokens - 1);
      const keep = random();
      const context = contextFor(tokens);
      // Layers may differ.
      const lagTokens = [1 + upTo(40), 1 + upTo(40)];
      const sinkTokens = [upTo(12), upTo(12)];
      const parameters = resolveParameters(lagkv, { prefill, lagTokens, sinkTokens }, context);
      const places = { evictAt, answerStart };
      const fitted = lagkv.withBudget(parameters, context, keep, places);
      const starts = studyBlocks(lagkv, parameters, { ...places, tokens }, context).map(({ start }) => start);
      const dense = prefill === 'monolithic' ? (answerStart ?? evictAt) : 0;
      const most = (layer: number, kept: number): number => {
        const lengths = { lagTokens: lagTokens[layer]!, sinkTokens: sinkTokens[layer]! };
        const counts = found(starts, dense, lengths, kept);
        return Math.max(...counts.filter((_, at) => starts[at]! >= dense));
      };
      const budget = Math.floor(keep * tokens);
      const of = JSON.stringify({ tokens, answerStart, evictAt, keep, lagTokens, sinkTokens });
      if (answerStart !== null) answers++;
      if ('reason' in fitted) throw new Error(fitted.reason);
      if ('floor' in fitted) {
        expect(fitted.floor * tokens, of).toBeCloseTo(Math.max(most(0, 0), most(1, 0)), 9);
        expect(fitted.floor * tokens, of).toBeGreaterThan(budget);
        floors++;
        continue;
      }
      for (const layer of [0, 1]) {
        const { keptOfPartition } = lagIn(fitted.parameters, layer);
        expect(most(layer, keptOfPartition), of).toBeLessThanOrEqual(budget);
        if (keptOfPartition < lagTokens[layer]!)
          expect(most(layer, keptOfPartition + 1), of).toBeGreaterThan(budget);
      }
      fits++;
    }
    expect(answers).toBe(2000);
    expect(floors).toBeGreaterThan(500);
    expect(fits).toBeGreaterThan(500);
  });

  it.each([
    [null, 0.3],
    [150, 0.3],
    [163, 0.45],
    [170, 0.5],
  ])('is kept by a run, answer from %j, %f of the keys', async (answerStart, keep) => {
    const text = { ...fixtureText(createCpuOps()), answerStart };
    const context = contextOf(text);
    const given = { prefill, sinkTokens: 3, lagTokens: 13 };
    const asked: Parameters = resolveParameters(lagkv, given, context);
    const evictAt = 148;
    const fitted = lagkv.withBudget(asked, context, keep, { evictAt, answerStart });
    if (!('parameters' in fitted)) throw new Error('below the floor');
    const { parameters } = fitted;
    const { blocks } = await selectAll({
      ...{ text, method: lagkv, parameters, traceIndex: 1, evictAt, withScores: false },
    });
    const dense = prefill === 'monolithic' ? (answerStart ?? evictAt) : 0;
    const counts = blocks
      .filter(({ block }) => block.start >= dense)
      .map(({ block, kept }) => kept.sets[0]!.length + block.start - kept.rangeStart);
    const budget = Math.floor(keep * context.tokens);
    expect(Math.max(...counts)).toBeLessThanOrEqual(budget);
    // One more of each of the partitions would not fit.
    expect(Math.max(...counts)).toBeGreaterThan(budget - 13);
  });
});

it('is LRSA’s as well', () => {
  const places = { evictAt: 148, answerStart: 163 };
  for (const keep of [0.05, 0.3, 0.45]) {
    const given = { sinkTokens: 3, lagTokens: 13 };
    const [as, own] = [lagkv, lrsa].map((method) => {
      const context = contextOf(fixtureText(createCpuOps()));
      return method.withBudget(resolveParameters(method, given, context), context, keep, places);
    });
    if (!('parameters' in as!) || !('parameters' in own!)) expect(own).toEqual(as);
    else
      expect(own.parameters).toEqual({
        ...given,
        valueWeight: 1,
        positions: 'original',
        keepFraction: as.parameters.keepFraction,
      });
  }
});
