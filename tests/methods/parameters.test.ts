import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { methodById, methods } from '../../src/methods';
import { esa } from '../../src/methods/esa';
import { lagkv } from '../../src/methods/lagkv';
import { compressedPartitions, storedKeys } from '../../src/methods/lagkv/partitions';
import { lagIn } from '../../src/methods/lagkv/schema';
import { checkParameter, type ParameterContext, resolveParameters } from '../../src/methods/parameters';

const context = (tokens: number, trainedTokens: number | null = 1024): ParameterContext => ({
  tokens,
  trainedTokens,
  layers: 2,
  queryHeads: 6,
  keyValueHeads: 2,
  headDimension: 32,
});
const resolve = (id: string, given: Record<string, unknown>, of = context(1024)) =>
  resolveParameters(methodById(id), given, of);
/** Queries from `evictAt` in a text without an answer. */
const queriesFrom = (evictAt: number) => ({ evictAt, answerStart: null });

describe('defaults', () => {
  it.each([
    [1024, { localTokens: 128, chunkTokens: 128, selectedTokens: 128 }],
    [4096, { localTokens: 384, chunkTokens: 256, selectedTokens: 256 }],
    [16384, { localTokens: 384, chunkTokens: 256, selectedTokens: 256 }],
    [1000, { localTokens: 112, chunkTokens: 112, selectedTokens: 112 }],
    [200, { localTokens: 64, chunkTokens: 32, selectedTokens: 32 }],
    [1, { localTokens: 64, chunkTokens: 32, selectedTokens: 32 }],
  ])('of ESA for %i tokens', (tokens, wanted) => {
    const resolved = resolve('esa', {}, context(tokens));
    expect(resolved).toMatchObject({ ...wanted, initTokens: 16, proximity: 3, compressedDim: 16 });
    expect(resolved.globalPosition).toBe(wanted.localTokens);
  });

  it('of ESA follow localTokens with w, layer by layer', () => {
    expect(resolve('esa', { localTokens: 96 }).globalPosition).toBe(96);
    expect(resolve('esa', { localTokens: [96, 48] }).globalPosition).toEqual([96, 48]);
    expect(resolve('esa', { localTokens: 96, globalPosition: 7 }).globalPosition).toBe(7);
  });

  it('of LagKV depend on the variant', () => {
    expect(resolve('lagkv', {})).toMatchObject({ variant: 'official', sinkTokens: 16, lagTokens: 64 });
    expect(resolve('lagkv', { variant: 'kvpress' }).sinkTokens).toBe(4);
    expect(resolve('lagkv', {}, context(100)).lagTokens).toBe(16);
    expect(resolve('lagkv', {}, context(16384)).lagTokens).toBe(128);
  });

  it('pass their own check, at any length and for models trained on little', () => {
    for (const tokens of [1, 2, 31, 64, 200, 1024, 100_000]) {
      for (const trainedTokens of [null, 64, 1024, 32768]) {
        const of = context(tokens, trainedTokens);
        for (const method of methods) {
          const defaults = resolveParameters(method, {}, of);
          expect(resolveParameters(method, defaults, of)).toEqual(defaults);
          expect(() => method.validate?.(defaults, of)).not.toThrow();
        }
      }
    }
  });

  it('and the paper’s values can be entered', () => {
    for (const method of methods) {
      for (const [name, schema] of Object.entries(method.parameters)) {
        if (schema.paper === undefined || name === 'compressedDim') continue;
        expect(() => checkParameter(method, name, schema.paper, context(1024))).not.toThrow();
      }
    }
  });
});

describe('what is wrong is said in one sentence', () => {
  const sentence = (act: () => unknown): string => {
    try {
      act();
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return (error as Error).message;
    }
    throw new Error('nothing was thrown');
  };

  it('about methods and parameters', () => {
    expect(sentence(() => methodById('lagkw'))).toBe(
      `There is no method "lagkw"; choose one of ${methods.map(({ id }) => id).join(', ')}.`,
    );
    expect(sentence(() => resolve('oracle', { keep: 0.5 }))).toBe(
      'oracle has no parameter "keep"; it has: keepFraction.',
    );
    expect(sentence(() => resolve('oracle', { keepFraction: 1.5 }))).toBe(
      'oracle: keepFraction must be a number from 0 to 1, not 1.5.',
    );
    expect(sentence(() => resolve('esa', { localTokens: [1, 2, 3] }))).toBe(
      'esa: localTokens has 3 values for 2 layers; give one number or one per layer.',
    );
  });

  it('about a cache of FreqKV without room', () => {
    const check = (given: Record<string, unknown>) => {
      const freqkv = methodById('freqkv');
      return sentence(() => freqkv.validate!(resolve('freqkv', given), context(1024)));
    };
    expect(check({ cacheTokens: 12, sinkTokens: 4, recentTokens: 8 })).toBe(
      'freqkv: a cache of 12 rows has no room beside 4 sinks and 8 recent tokens; cacheTokens must be more than both together.',
    );
    expect(check({ cacheTokens: [64, 4] })).toMatch(/^freqkv: a cache of 4 rows/);
    expect(sentence(() => resolve('freqkv', { positions: 'original' }))).toMatch(
      /^freqkv: positions must be/,
    );
    expect(sentence(() => resolve('freqkv', { retainedFraction: 1.2 }))).toBe(
      'freqkv: retainedFraction must be a number from 0 to 1, not 1.2.',
    );
  });

  it('about tables', () => {
    const given = (headScores: unknown): string => sentence(() => resolve('duo-attention', { headScores }));
    expect(given([0.5, 0.5])).toBe(
      'duo-attention: headScores must be a list with a list of numbers for each layer, not [0.5,0.5].',
    );
    expect(given([[0.5, 0.5]])).toBe(
      'duo-attention: headScores must have 2 rows, one for each layer, not [[0.5,0.5]].',
    );
    expect(given([[0.5, 0.5], [1]])).toBe(
      'duo-attention: headScores must have 2 numbers in row 1, one for each KV head, not [[0.5,0.5],[1]].',
    );
    expect(
      given([
        [0.5, 1.5],
        [1, 1],
      ]),
    ).toBe('duo-attention: headScores must hold numbers from 0 to 1 in row 0, not [[0.5,1.5],[1,1]].');
    expect(resolve('duo-attention', {}).headScores).toEqual([]);
  });

  const shared = methods.flatMap(({ id, parameters }) =>
    Object.entries(parameters).flatMap(([name, schema]) =>
      schema.kind === 'count' && schema.isSameInAllLayers ? [[id, name] as const] : [],
    ),
  );

  it.each(shared)('about layers that cannot differ: %s, %s', (id, name) => {
    expect(resolve(id, { [name]: [1, 1] })[name]).toEqual([1, 1]);
    expect(sentence(() => resolve(id, { [name]: [1, 2] }))).toBe(
      `${id}: ${name} must be the same in every layer; give one number.`,
    );
  });

  it('about ESA’s lengths', () => {
    const check = (given: Record<string, unknown>) =>
      sentence(() => esa.validate!(resolve('esa', given), context(1024)));
    expect(check({ localTokens: 900 })).toBe(
      'esa: localTokens + chunkTokens is 1028, beyond the 1024 tokens the model was trained on; make one of them smaller.',
    );
    expect(check({ globalPosition: 4000 })).toBe(
      'esa: globalPosition must be at most 1024 for this text, not 4000.',
    );
  });
});

describe('a budget', () => {
  it('leaves ESA what initial and local tokens do not take', () => {
    const parameters = resolve('esa', { localTokens: [128, 64] });
    expect(esa.withBudget(parameters, context(1024), 0.5, queriesFrom(896))).toEqual({
      parameters: { ...parameters, selectedTokens: [512 - 144, 512 - 80] },
    });
    expect(esa.withBudget(parameters, context(1024), 144 / 1024, queriesFrom(896))).toMatchObject({
      parameters: { selectedTokens: [0, 64] },
    });
    expect(esa.withBudget(parameters, context(1024), 0.1, queriesFrom(896))).toEqual({ floor: 144 / 1024 });
  });

  it('is the largest fraction that fits for LagKV', () => {
    for (const [tokens, sinkTokens, lagTokens] of [
      [1024, 16, 64],
      [1000, 4, 49],
      [300, 0, 7],
    ]) {
      const of = context(tokens!);
      const parameters = resolve('lagkv', { sinkTokens, lagTokens }, of);
      const starts = lagkv.blocks(parameters, tokens!, tokens!, of).map(({ start }) => start);
      const most = (kept: number): number =>
        Math.max(
          ...starts.map((start) => storedKeys(start, { ...lagIn(parameters, 0), keptOfPartition: kept })),
        );
      for (const keep of [0.01, 0.2, 0.35, 0.5, 0.77, 1]) {
        const budget = Math.floor(keep * tokens!);
        const fitted = lagkv.withBudget(parameters, of, keep, queriesFrom(tokens!));
        if ('reason' in fitted) throw new Error(fitted.reason);
        if ('floor' in fitted) {
          expect(most(0)).toBeGreaterThan(budget);
          expect(fitted.floor).toBe(most(0) / tokens!);
          continue;
        }
        const { keptOfPartition } = lagIn(fitted.parameters, 0);
        expect(most(keptOfPartition)).toBeLessThanOrEqual(budget);
        if (keptOfPartition < lagTokens!) expect(most(keptOfPartition + 1)).toBeGreaterThan(budget);
      }
    }
  });

  it('is met exactly where LagKV can meet it', () => {
    const of = context(1000);
    const parameters = resolve('lagkv', { sinkTokens: 4, lagTokens: 49 }, of);
    const starts = lagkv.blocks(parameters, 1000, 1000, of).map(({ start }) => start);
    for (let kept = 0; kept <= 49; kept++) {
      const lag = { ...lagIn(parameters, 0), keptOfPartition: kept };
      const most = Math.max(...starts.map((start) => storedKeys(start, lag)));
      // ⌊keep · 1000⌋ = most, and one less is one too few.
      const fitted = (budget: number) =>
        lagkv.withBudget(parameters, of, (budget + 0.5) / 1000, queriesFrom(1000));
      const exact = fitted(most);
      if (!('parameters' in exact)) throw new Error('below the floor');
      expect(lagIn(exact.parameters, 0).keptOfPartition).toBe(kept);
      const less = fitted(most - 1);
      if (kept === 0) expect(less).toEqual({ floor: most / 1000 });
      else if ('parameters' in less) expect(lagIn(less.parameters, 0).keptOfPartition).toBe(kept - 1);
    }
  });

  it('counts LagKV’s partitions the same for any chunks', () => {
    const lengths = { sinkTokens: 3, lagTokens: 5 };
    for (const chunk of [1, 2, 4, 7, 13]) {
      // LagKV.update: compress when S + 2L are there, all but the last full partition.
      let done = 0;
      for (let read = chunk; read < 90; read += chunk) {
        const open = read - lengths.sinkTokens - done * lengths.lagTokens;
        if (open >= 2 * lengths.lagTokens) done += Math.floor(open / lengths.lagTokens) - 1;
        expect(compressedPartitions(read, lengths)).toBe(done);
      }
    }
  });
});
