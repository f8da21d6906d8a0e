import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { selectAll } from '../../src/measure/select-all';
import { contextOf } from '../../src/measure/trace-run';
import { methodById, methods } from '../../src/methods';
import { translateKeepFraction } from '../../src/methods/budget';
import { lagBlocks, storedKeys } from '../../src/methods/lagkv/partitions';
import { type ParameterContext, type Parameters, resolveParameters } from '../../src/methods/parameters';
import { randomLayers, recordText } from './recorded';

const shape = { tokens: 175, queryHeads: 2, keyValueHeads: 2, headDimension: 4 };
const text = recordText(createCpuOps(), shape, randomLayers(shape, 2, 11));
const context = contextOf(text);
const resolve = (id: string, given: Record<string, unknown>): Parameters =>
  resolveParameters(methodById(id), given, context);
/** Queries from `evictAt` in a text without an answer. */
const queriesFrom = (evictAt: number) => ({ evictAt, answerStart: null });

describe('LagKV official', () => {
  it('takes the largest fraction that fits, one that fits exactly included', () => {
    const parameters = resolve('lagkv', { variant: 'official', lagTokens: 10, sinkTokens: 5 });
    const starts = lagBlocks(shape.tokens, { lagTokens: 10, sinkTokens: 5 }).map(({ start }) => start);
    for (let kept = 1; kept < 10; kept++) {
      const lag = { lagTokens: 10, sinkTokens: 5, valueWeight: 1, keptOfPartition: kept };
      const most = Math.max(...starts.map((start) => storedKeys(start, lag)));
      const fitted = methodById('lagkv').withBudget(
        parameters,
        context,
        (most + 0.5) / shape.tokens,
        queriesFrom(100),
      );
      const { keepFraction } = (fitted as { parameters: Parameters }).parameters;
      expect(Math.floor(Number(keepFraction) * 10)).toBe(kept);
    }
  });
});

/** How many of the keys before `evictAt` stay for a query after the last token. */
async function keptBefore(id: string, parameters: Parameters, evictAt: number, traceIndex = 0) {
  const { after } = await selectAll({
    text,
    method: methodById(id),
    parameters,
    traceIndex,
    evictAt,
    withScores: false,
  });
  const { kept } = after;
  // Everything that was read since is there, and comes on top.
  expect(kept.rangeStart).toBeLessThanOrEqual(evictAt);
  const counts = kept.sets.map((set) => set.length + evictAt - kept.rangeStart);
  expect(new Set(counts).size).toBe(1);
  return counts[0];
}

const evictingOnce: [id: string, given: Record<string, unknown>][] = [
  ['random', {}],
  ['random', { positions: 'cache' }],
  ['streaming-llm', {}],
  ['lagkv', { variant: 'kvpress', lagTokens: 8 }],
];

describe.each(evictingOnce)('keepFraction of %s %o, which evicts once', (id, given) => {
  // r, S and Python's int(S * (1 - r)); 0.56 · 50 gives 22 in real numbers.
  it.each([
    [0, 50, 50],
    [0.07, 50, 46],
    [0.34, 50, 32],
    [0.55, 50, 22],
    [0.56, 50, 21],
    [0.68, 50, 15],
    [0.9, 50, 4],
    [0.999, 50, 0],
    [1, 50, 0],
    [0, 100, 100],
    [0.34, 100, 65],
    [0.55, 100, 44],
    [0.67, 100, 32],
    [0.9, 100, 9],
    [0.999, 100, 0],
  ])('keeps what kvpress keeps: r = %f of S = %i leaves %i', async (removed, evictAt, kept) => {
    const parameters = resolve(id, { ...given, keepFraction: 1 - removed });
    expect(await keptBefore(id, parameters, evictAt)).toBe(kept);
    expect(await keptBefore(id, parameters, shape.tokens)).toBe(Math.floor((1 - removed) * shape.tokens));
  });

  it('counts in every layer by itself', async () => {
    const parameters = resolve(id, { ...given, keepFraction: [0.1, 0.62] });
    expect(await keptBefore(id, parameters, 50, 0)).toBe(5);
    expect(await keptBefore(id, parameters, 50, 1)).toBe(31);
  });

  it('has nothing to evict where queries are the whole text, and says so', async () => {
    const method = methodById(id);
    const parameters = resolve(id, { ...given, keepFraction: 0.05 });
    const sentence =
      'Nothing stands before the queries, so there is nothing to evict; let the queries begin later.';
    expect(method.withBudget(parameters, context, 0.05, queriesFrom(0))).toEqual({ reason: sentence });
    expect(method.withBudget(parameters, context, 0.05, queriesFrom(1))).toEqual({ parameters });
    const measure = async (start: number) => {
      const notices: string[] = [];
      const queries = { start, end: shape.tokens };
      const onNotices = (sentences: readonly string[]): void => void notices.push(...sentences);
      const { keptShare } = (await measureLayers({ text, method, parameters, queries, onNotices }))[0]!;
      return { keptShare, notices };
    };
    expect(await measure(0)).toEqual({ keptShare: 1, notices: [sentence] });
    expect((await measure(50)).notices).toEqual([]);
  });
});

it('keepFraction of methods that choose for every block is of the whole text', async () => {
  for (const [id, given] of [
    ['oracle', {}],
    ['streaming-llm', { positions: 'cache' }],
  ] as const) {
    const parameters = resolve(id, { ...given, keepFraction: 0.31 });
    const { blocks } = await selectAll({
      text,
      method: methodById(id),
      parameters,
      traceIndex: 0,
      evictAt: 50,
      withScores: false,
    });
    for (const { block, kept } of blocks) {
      const count = kept.sets[0]!.length + block.start - kept.rangeStart;
      expect(count).toBe(Math.min(block.start, Math.floor(0.31 * shape.tokens)));
    }
    expect(methodById(id).withBudget(parameters, context, 0.31, queriesFrom(0))).toEqual({ parameters });
  }
});

describe.each(methods)('a budget of $id', (method) => {
  it.each([1, 2, 5, 17, 100])(
    'of all of %i tokens is there, and its floor is never more than all',
    (tokens) => {
      const own: ParameterContext = { ...context, tokens };
      // Sinks and recent tokens may be more than the text has.
      for (const count of [null, 40]) {
        const given = Object.entries(method.parameters)
          .filter(([name]) => /^(sink|recent|init|local)Tokens$/.test(name))
          .map(([name]) => [name, count]);
        const more = count !== null && 'cacheTokens' in method.parameters ? { cacheTokens: 3 * count } : {};
        const parameters = resolve(
          method.id,
          count === null ? {} : { ...Object.fromEntries(given), ...more },
        );
        const places = queriesFrom(tokens - 1);
        const all = method.withBudget(parameters, own, 1, places);
        if ('parameters' in all) resolveParameters(method, all.parameters, own);
        else expect(all).toEqual({ reason: expect.any(String) });
        const few = method.withBudget(parameters, own, 0.01, places);
        if ('floor' in few) expect(few.floor).toBeLessThanOrEqual(1);
      }
    },
  );
});

describe('keepFraction of version 0.1.0', () => {
  const random = methodById('random');

  it('is translated so that as many keys stay', () => {
    let moved = 0;
    for (const tokens of [1, 7, 64, 175, 899, 1000, 1024, 16384]) {
      for (const evictAt of [1, 2, 3, tokens >> 1, tokens - (tokens >> 3), tokens - 1, tokens]) {
        if (evictAt < 1 || evictAt > tokens) continue;
        for (let i = 0; i <= 400; i++) {
          // Round fractions, those of whole counts, and those of the sweep.
          const fraction = [i / 400, Math.min(1, i / tokens), 64 ** (i / 400 - 1)][i % 3]!;
          const parameters = { ...resolve('random', {}), keepFraction: fraction };
          const { keepFraction, ...others } = translateKeepFraction(random, parameters, { tokens, evictAt });
          expect(others).toEqual({ seed: 1, positions: 'original' });
          expect(keepFraction).toBeLessThanOrEqual(1);
          const was = Math.min(evictAt, Math.floor(fraction! * tokens));
          expect(Math.floor(Number(keepFraction) * evictAt)).toBe(was);
          const plain = Math.min(1, (fraction! * tokens) / evictAt);
          if (keepFraction !== plain && evictAt < tokens) moved++;
          expect(Math.abs(Number(keepFraction) - plain)).toBeLessThan(1 / evictAt);
        }
      }
    }
    expect(moved).toBeGreaterThan(10);
  });

  it('takes a number per layer', () => {
    const parameters = { ...resolve('streaming-llm', {}), keepFraction: [0.25, 0.5, 1] };
    expect(
      translateKeepFraction(methodById('streaming-llm'), parameters, { tokens: 1000, evictAt: 500 }),
    ).toEqual({ ...parameters, keepFraction: [0.5, 1, 1] });
  });

  it('stays where its meaning did', () => {
    const text = { tokens: 1000, evictAt: 875 };
    for (const [id, given] of [
      ['oracle', {}],
      ['esa', {}],
      ['full', {}],
      ['lagkv', {}],
      ['streaming-llm', { positions: 'cache' }],
    ] as const) {
      const parameters = resolve(id, given);
      expect(translateKeepFraction(methodById(id), parameters, text)).toBe(parameters);
    }
    const parameters = resolve('random', {});
    expect(translateKeepFraction(random, parameters, { tokens: 1000, evictAt: 1000 })).toBe(parameters);
    expect(translateKeepFraction(random, parameters, { tokens: 1000, evictAt: 0 })).toBe(parameters);
    expect(translateKeepFraction(random, parameters, text)).not.toBe(parameters);
    const kvpress = resolve('lagkv', { variant: 'kvpress' });
    expect(translateKeepFraction(methodById('lagkv'), kvpress, text)).not.toBe(kvpress);
  });
});
