/** Cuts of a cache while a text is read, against a definition of their own in float64. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { selectAll } from '../../src/measure/select-all';
import { visibleTokens } from '../../src/measure/selection-reader';
import { contextOf } from '../../src/measure/trace-run';
import { resolveParameters } from '../../src/methods/parameters';
import { streaming } from '../../src/methods/streaming';
import { fixtureText, inputs, shape } from './fixture';

const { tokens: T, queryHeads: H, keyValueHeads: G, headDimension: d } = shape;
const ANSWER_START = 151;
const LAYER = 1;
const vector = (name: string, head: number, token: number): number[] =>
  Array.from(inputs.float32(`${name}.${LAYER}`).subarray((head * T + token) * d, (head * T + token + 1) * d));
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

/** What a query gives each key of a cache that stands no later than it. */
function attention(head: number, query: number, cache: readonly number[]): number[] {
  const group = Math.floor((head * G) / H);
  const exponentials = cache.map((token) =>
    token > query
      ? 0
      : Math.exp(dot(vector('query', head, query), vector('key', group, token)) / Math.sqrt(d)),
  );
  const sum = exponentials.reduce((all, x) => all + x, 0);
  return exponentials.map((x) => x / sum);
}

const headsOf = (group: number): number[] =>
  Array.from({ length: H }, (_, head) => head).filter((head) => Math.floor((head * G) / H) === group);

/** Scores of a cache's tokens; the last queries' own rank above all. */
const scorers: Record<string, (cache: readonly number[], end: number, group: number) => number[]> = {
  knorm: (cache, _end, group) => cache.map((token) => -Math.hypot(...vector('key', group, token))),
  keydiff(cache, _end, group) {
    const units = cache.map((token) => {
      const key = vector('key', group, token);
      return key.map((x) => x / Math.hypot(...key));
    });
    const anchor = units[0]!.map((_, c) => mean(units.map((unit) => unit[c]!)));
    return units.map((unit) => -dot(unit, anchor) / Math.hypot(...anchor));
  },
  tova(cache, end) {
    const all = Array.from({ length: H }, (_, head) => attention(head, end - 1, cache));
    return cache.map((token, i) => (token === end - 1 ? 2 : mean(all.map((row) => row[i]!))));
  },
  snapkv(cache, end, group) {
    const [window, width] = [6, 3];
    const scored = cache.length - window;
    const sums = cache.map(() => 0);
    for (const head of headsOf(group))
      for (let query = end - window; query < end; query++)
        attention(head, query, cache).forEach((share, i) => {
          sums[i]! += share;
        });
    return cache.map((_, i) => {
      if (i >= scored) return Number.POSITIVE_INFINITY;
      let pooled = 0;
      for (let j = i - 1; j <= i + 1; j++) if (j >= 0 && j < scored) pooled += sums[j]! / width;
      return pooled;
    });
  },
};

/** The cache of a KV head before each token: cut to `size` whenever `every` tokens more are there. */
function caches(base: string, every: number, size: number, group: number): number[][] {
  let cache: number[] = [];
  return Array.from({ length: T }, (_, token) => {
    if (token > 0 && token % every === 0 && cache.length > size) {
      const scores = scorers[base]!(cache, token, group);
      const order = cache.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
      const kept = new Set(order.slice(0, size));
      cache = cache.filter((_, i) => kept.has(i));
    }
    const before = cache;
    cache = [...cache, token];
    return before;
  });
}

it.each([
  ['knorm', 16, 24],
  ['keydiff', 16, 24],
  ['keydiff', 7, 50],
  ['tova', 16, 24],
  ['tova', 5, 3],
  ['snapkv', 16, 24],
  ['snapkv', 6, 40],
  // A cache smaller than what comes in between two cuts.
  ['snapkv', 40, 12],
])('%s, every %i tokens to %i', async (base, everyTokens, cacheTokens) => {
  const text = { ...fixtureText(createCpuOps()), answerStart: ANSWER_START };
  const given = { base, everyTokens, cacheTokens, windowTokens: 6, poolKernel: 3 };
  const parameters = resolveParameters(streaming, given, contextOf(text));
  const { blocks } = await selectAll({
    ...{ text, method: streaming, parameters, traceIndex: LAYER, evictAt: 90, withScores: false },
  });
  for (let group = 0; group < G; group++) {
    const wanted = caches(base, everyTokens, cacheTokens, group);
    for (const { block, kept } of blocks) {
      const set = kept.sets.length === 1 ? 0 : group;
      expect([...visibleTokens(kept, set, block.start)], `block ${block.start}`).toEqual(wanted[block.start]);
    }
  }
});

it('is held to its budget, or says how little it can keep', () => {
  const context = contextOf(fixtureText(createCpuOps()));
  const parameters = resolveParameters(streaming, { everyTokens: 32 }, context);
  const places = { evictAt: 90, answerStart: ANSWER_START };
  // 151 … 191: up to 31 tokens of a round beside the cache.
  expect(streaming.withBudget(parameters, context, 0.5, places)).toMatchObject({
    parameters: { cacheTokens: 96 - 31, everyTokens: 32 },
  });
  const short = streaming.withBudget(parameters, context, 0.1, places) as { floor: number };
  expect(Math.floor(short.floor * T)).toBe(32);
  expect(streaming.withBudget(parameters, context, short.floor, places)).toMatchObject({
    parameters: { cacheTokens: 1 },
  });
});

it('takes a window that is longer than a round for one as long as that', async () => {
  const text = fixtureText(createCpuOps());
  const keptWith = async (windowTokens: number) => {
    const given = { everyTokens: 6, cacheTokens: 20, windowTokens, poolKernel: 3 };
    const parameters = resolveParameters(streaming, given, contextOf(text));
    const { blocks } = await selectAll({
      ...{ text, method: streaming, parameters, traceIndex: LAYER, evictAt: 90, withScores: false },
    });
    return blocks.map(({ kept }) => kept.sets.map((set) => [...set]));
  };
  expect(await keptWith(9)).toEqual(await keptWith(6));
});
