import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureCost, operationsPerKey } from '../../src/measure/cost';
import { probe } from '../../src/measure/probe';
import { methodById } from '../../src/methods';
import { paperOperations } from '../../src/methods/esa/cost';
import { type ParameterContext, resolveParameters } from '../../src/methods/parameters';
import { fixtureText, shape } from '../methods/fixture';

/** Mistral 7B, as in the paper. */
const paper = {
  queryHeads: 32,
  headDimension: 128,
  compressedDim: 128,
  initTokens: 128,
  localTokens: 4096,
  selectedTokens: 2048,
};
const context: ParameterContext = { trainedTokens: null, layers: 4, ...shape };
const queries = { start: 150, end: shape.tokens };
const costOf = (id: string, given: Record<string, unknown>, weightOperations = 0) => {
  const method = methodById(id);
  const parameters = resolveParameters(id, method.parameters, given, context);
  return measureCost({ method, parameters, context, queries, answerStart: null, weightOperations });
};

describe('the paper’s count', () => {
  const ratio = (tokens: number, blockTokens: number): number => {
    const middleTokens = tokens - paper.initTokens - paper.localTokens - blockTokens;
    const { full, esa } = paperOperations({ ...paper, blockTokens, middleTokens });
    return (100 * esa) / full;
  };

  // Per cent of full attention: text in Ki tokens, blocks of 512, blocks of 1.
  it.each([
    [8, 85.0, 78.9],
    [16, 43.3, 40.2],
    [32, 22.4, 20.9],
    [64, 12.0, 11.2],
    [128, 6.78, 6.39],
    [200, 4.9, 4.65],
    [256, 4.17, 3.98],
    [1024, 2.21, 2.16],
  ])('%i Ki tokens: %f %% in blocks, %f %% token by token', (kibi, inBlocks, byToken) => {
    const digits = inBlocks > 10 ? 1 : 2;
    expect(ratio(kibi * 1024, 512)).toBeCloseTo(inBlocks, digits - 0.01);
    expect(ratio(kibi * 1024, 1)).toBeCloseTo(byToken, digits - 0.01);
  });

  it('has the limit 1.56 %', () => {
    expect(ratio(1e12, 1)).toBeCloseTo(100 * (257 / 16480), 5);
  });
});

describe('cost', () => {
  it('is that of all causal keys for full attention', () => {
    const { queryHeads, keyValueHeads, headDimension } = shape;
    const cost = costOf('full', {}, 1000);
    const visible = (queries.start + 1 + queries.end) / 2;
    expect(cost.density).toBe(1);
    expect(cost.selectionOperations).toBe(0);
    expect(cost.fullAttentionOperations).toBeCloseTo(4 * queryHeads * (4 * headDimension + 3) * visible, 6);
    expect(cost.attentionOperations).toBe(cost.fullAttentionOperations);
    expect(cost.forwardOperations).toBe(1000 + cost.fullAttentionOperations);
    expect(cost.decodeReadBytes).toBe(cost.decodeReadBytesFull);
    expect(cost.decodeReadBytes).toBeCloseTo(4 * 2 * keyValueHeads * headDimension * visible * 4, 6);
  });

  it('counts every pass of ESA over a block', () => {
    const given = { compressedDim: 8, initTokens: 4, localTokens: 32, selectedTokens: 24, proximity: 3 };
    const cost = costOf('esa', { projection: 'closed-form', chunkTokens: 50, ...given });
    // Queries 150 … 191 are one block: middle tokens 4 … 117.
    const middle = 150 - 32 - 4;
    const folded = 2 * 16;
    const scoring = (4 - 2) * 16 + 4 * folded * 8 + middle * (2 * (2 * 8) + 3) + (7 * middle) / 42;
    expect(cost.selectionOperations).toBeCloseTo(4 * scoring, 6);
    const kept = 4 + 24 + 32 + (1 + 42) / 2;
    expect(cost.attentionOperations).toBeCloseTo(4 * operationsPerKey(context) * kept, 6);
    expect(cost.decodeReadBytes).toBeCloseTo(4 * 4 * (2 * folded * kept + middle * 8), 6);
    const exact = costOf('esa', { projection: 'exact', chunkTokens: 50, ...given });
    expect(exact.selectionOperations).toBeCloseTo(
      4 * ((4 - 2) * 16 + middle * (2 * (2 * folded) + 3) + (7 * middle) / 42),
      6,
    );
    expect(costOf('esa', { chunkTokens: 50, ...given, selectedTokens: middle }).selectionOperations).toBe(0);
  });

  it.each([
    ['esa', { projection: 'exact', initTokens: 4, localTokens: 32, chunkTokens: 40, selectedTokens: 24 }],
    ['lagkv', { lagTokens: 16, keepFraction: 0.3 }],
    ['lagkv', { variant: 'kvpress', lagTokens: 16, keepFraction: 0.3 }],
    ['streaming-llm', { keepFraction: 0.3 }],
    ['streaming-llm', { keepFraction: 0.3, positions: 'cache' }],
    ['oracle', { keepFraction: 0.3 }],
    ['random', { keepFraction: 0.3 }],
  ])('of %s %o is for as many keys as a probe sees', async (id, given) => {
    const text = fixtureText(createCpuOps());
    const method = methodById(id);
    const parameters = resolveParameters(id, method.parameters, given, context);
    const [layer] = await probe({ text, method, parameters, queries });
    const cost = costOf(id, given);
    expect(cost.attentionOperations).toBeCloseTo(4 * operationsPerKey(context) * layer.keptKeys, 4);
    expect(cost.density).toBeLessThan(1);
  });
});
