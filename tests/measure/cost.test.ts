import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureCost, operationsPerKey } from '../../src/measure/cost';
import { measureLayers } from '../../src/measure/measure-layers';
import { methodById, methods } from '../../src/methods';
import { esa } from '../../src/methods/esa';
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
  const parameters = resolveParameters(method, given, context);
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

describe('our count beside the paper’s', () => {
  // Mistral's shape with a context for one layer; the last query, and so blocks at their longest past.
  const mistral = {
    tokens: 131_072,
    trainedTokens: null,
    layers: 1,
    queryHeads: 32,
    keyValueHeads: 8,
    headDimension: 128,
  };
  const { compressedDim, initTokens, localTokens } = paper;
  const given = { compressedDim, initTokens, localTokens, globalPosition: 4096 };
  const resolve = (more: Record<string, unknown>) =>
    resolveParameters(esa, { ...given, projection: 'learned', selectedTokens: 2048, ...more }, mistral);
  const learned = resolve({});
  const costAt = (tokens: number, chunkTokens: number, more: Record<string, unknown> = {}) => {
    const parameters = resolve({ chunkTokens, ...more });
    return measureCost({
      method: esa,
      parameters,
      context: { ...mistral, tokens },
      queries: { start: tokens - 1, end: tokens },
      answerStart: null,
      weightOperations: 0,
    });
  };
  const paperPercent = ({ paperOperations: counted }: ReturnType<typeof costAt>): number =>
    (100 * counted!.method) / counted!.full;
  const ownPercent = (cost: ReturnType<typeof costAt>): number =>
    (100 * (cost.selectionOperations + cost.attentionOperations)) / cost.fullAttentionOperations;

  it('is 6.78 and 6.39 % in the paper’s at 128 Ki tokens, in blocks of 512 and token by token', () => {
    expect(paperPercent(costAt(131_072, 512))).toBeCloseTo(6.78, 2);
    expect(paperPercent(costAt(131_072, 1))).toBeCloseTo(6.39, 2);
    expect(costAt(131_072, 1).paperOperations!.full).toBe(16_480 * 131_072);
  });

  it('charges a decode step one scoring pass, and blocks two', () => {
    const middle = 131_072 - 1 - 4096 - 128;
    const fixed = (32 - 8) * 128 + 4 * 1024 * 128 + 128;
    expect(costAt(131_072, 1).selectionOperations).toBe(fixed + middle * (2 * 128 + 2 + 7));
    // Two queries that share a block take 7.9 % where the paper has 6.39; one pass takes 6.4 %.
    const two = costAt(131_072, 2);
    expect(two.selectionOperations).toBe(fixed + (middle - 1) * (4 * 128 + 3 + 7 / 2));
    expect(ownPercent(two)).toBeCloseTo(7.86, 2);
    expect(ownPercent(costAt(131_072, 1))).toBeCloseTo(6.37, 2);
  });

  it('tends to 3.13 % in blocks and 1.61 % token by token, where the paper’s tends to 1.56 %', () => {
    const position = 2 ** 40;
    const place = (length: number) => ({
      position,
      block: { start: position + 1 - length, end: position + 1 },
      evictAt: 0,
      promptEnd: position + 1,
    });
    const own = (length: number): number => {
      const { selectionOperations, keptKeys } = esa.cost(learned, mistral, 0, place(length));
      return (100 * (selectionOperations / 16_480 + keptKeys)) / position;
    };
    expect(own(2 ** 16)).toBeCloseTo((100 * (4 * 128 + 3)) / 16_480, 2);
    expect(own(1)).toBeCloseTo((100 * (2 * 128 + 2 + 7)) / 16_480, 4);
    const { full, method } = esa.paperCost!(learned, mistral, 0, place(1));
    expect((100 * method) / full).toBeCloseTo((100 * 257) / 16_480, 4);
  });

  it('counts all channels where nothing is compressed, and no scores where all of the middle stays', () => {
    const { full, method } = costAt(131_072, 1, { projection: 'exact' }).paperOperations!;
    const middle = 131_072 - 1 - 4096 - 128;
    expect(full).toBe(16_480 * 131_072);
    expect(method).toBe(2 * middle * 4096 + middle + 16_480 * (128 + 4096 + 1 + 2048));
    const all = costAt(8192, 1, { selectedTokens: 4096 });
    expect(all.paperOperations!.method).toBe(all.paperOperations!.full);
  });

  it('is ESA’s alone', () => {
    for (const { id } of methods) if (id !== 'esa') expect(costOf(id, {}).paperOperations, id).toBeNull();
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
    // Alone in its block a query reads 61 keys, and the middle before its own local tokens: 4 … position − 33, 134.5 on average.
    const before = (queries.start + queries.end - 1) / 2;
    expect(cost.decodeReadBytes).toBeCloseTo(4 * 4 * (2 * folded * (4 + 24 + 32 + 1) + (before - 36) * 8), 6);
    const exact = costOf('esa', { projection: 'exact', chunkTokens: 50, ...given });
    expect(exact.selectionOperations).toBeCloseTo(
      4 * ((4 - 2) * 16 + middle * (2 * (2 * folded) + 3) + (7 * middle) / 42),
      6,
    );
    expect(costOf('esa', { chunkTokens: 50, ...given, selectedTokens: middle }).selectionOperations).toBe(0);
  });

  const { queryHeads, keyValueHeads, headDimension } = shape;
  const perToken = 2 * keyValueHeads * (8 * headDimension + 3);

  it('of the oracle has full attention and the sums by key, where something is dropped', () => {
    // Blocks of 32: the one at 128 finds just the 128 keys that stay, the one at 160 drops 32.
    const cost = costOf('oracle', { keepFraction: 128.5 / 192 });
    let wanted = 0;
    for (let position = 160; position < 192; position++) {
      wanted += (4 * headDimension + 3) * queryHeads * (position + 1);
      wanted += (2 * headDimension + 3) * queryHeads * 160;
    }
    expect(cost.selectionOperations).toBeCloseTo((4 * wanted) / 42, 6);
    expect(costOf('oracle', { keepFraction: 1 }).selectionOperations).toBe(0);
    expect(costOf('oracle', { keepFraction: 160.5 / 192 }).selectionOperations).toBe(0);
    expect(cost.decodeReadBytes).toBe(cost.decodeReadBytesFull);
  });

  it('of LagKV official scores every token once, from the first partition on', () => {
    const given = { lagTokens: 16, sinkTokens: 4, keepFraction: 0.25 };
    const cost = costOf('lagkv', given);
    expect(cost.selectionOperations).toBeCloseTo(4 * perToken, 6);
    // Blocks of 140 + 2 · 16 and then of 16: the block at 172 is the first that finds a partition compressed.
    const late = costOf('lagkv', { ...given, sinkTokens: 140 });
    expect(late.selectionOperations).toBeCloseTo((4 * perToken * 20) / 42, 6);
    // Token by token: ⌊(position − 4) / 16⌋ − 1 partitions have lost 12 of their 16 keys.
    let read = 0;
    for (let position = 150; position < 192; position++) {
      read += position + 1 - 12 * (Math.floor((position - 4) / 16) - 1);
    }
    expect(cost.decodeReadBytes).toBeCloseTo((4 * 4 * 2 * keyValueHeads * headDimension * read) / 42, 6);
  });

  it('of FreqKV shares a compression out over the tokens that it makes room for', () => {
    const cost = costOf('freqkv', {
      cacheTokens: 80,
      sinkTokens: 4,
      recentTokens: 4,
      retainedFraction: 0.25,
    });
    // Blocks [0, 80), [80, 134), [134, 188), [188, 192); 72 rows become 18, and 26 are left.
    const rowsAt = (position: number): number => 26 + position + 1 - (position < 188 ? 134 : 188);
    let rows = 0;
    for (let position = 150; position < 192; position++) rows += rowsAt(position);
    const width = 2 * keyValueHeads * headDimension;
    expect(cost.attentionOperations).toBeCloseTo((4 * operationsPerKey(context) * rows) / 42, 6);
    expect(cost.selectionOperations).toBeCloseTo((4 * 2 * 72 * 18 * width) / 54, 6);
    expect(cost.decodeReadBytes).toBeCloseTo(4 * 4 * width * (rows / 42 + 72 / 54), 6);
    expect(costOf('freqkv', { cacheTokens: 192 }).selectionOperations).toBe(0);
    expect(costOf('freqkv', { cacheTokens: 80, retainedFraction: 0 }).selectionOperations).toBe(0);
  });

  it('of methods that evict once charges no query for their scores, and the text once', () => {
    const given = { variant: 'kvpress', lagTokens: 16, keepFraction: 0.3 };
    const cost = costOf('lagkv', given);
    expect(cost.selectionOperations).toBe(0);
    expect(cost.onceOperations).toBe(4 * 150 * perToken);
    expect(costOf('lagkv', { ...given, keepFraction: 1 }).onceOperations).toBe(0);
    for (const id of ['random', 'streaming-llm'])
      expect(costOf(id, { keepFraction: 0.3 }).onceOperations).toBe(0);
    // What takes over another layer's choice scores nothing; what wraps another method's scores adds its own.
    const chunks = { windowTokens: 8, chunkTokens: 5, keepFraction: 0.5 };
    const [own, shared] = [1, 2].map((reuseLayers) => costOf('chunkkv', { ...chunks, reuseLayers }));
    expect(shared!.onceOperations).toBe(own!.onceOperations / 2);
    const [snapkv, merging] = ['snapkv', 'merging'].map((id) =>
      costOf(id, { windowTokens: 8, poolKernel: 3, keepFraction: 0.3 }),
    );
    expect(merging!.onceOperations - snapkv!.onceOperations).toBe(
      4 *
        keyValueHeads *
        (5 * headDimension * 150 + 105 * (45 * (2 * headDimension + 1) + 2 * headDimension)),
    );
    expect(merging!.selectionOperations).toBe(0);
    // 45 of 150 stay; then what was read since, alone or in a block.
    const seen = 45 + (42 + 1) / 2;
    expect(cost.attentionOperations).toBeCloseTo(4 * operationsPerKey(context) * seen, 6);
    expect(cost.decodeReadBytes).toBeCloseTo(4 * 4 * 2 * keyValueHeads * headDimension * seen, 6);
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
    const parameters = resolveParameters(method, given, context);
    const [layer] = await measureLayers({ text, method, parameters, queries });
    const cost = costOf(id, given);
    expect(cost.attentionOperations).toBeCloseTo(4 * operationsPerKey(context) * layer!.keptKeys, 4);
    expect(cost.density).toBeLessThan(1);
  });
});
