import { describe, expect, it } from 'vitest';
import { factsOf, type MethodFacts } from '../../src/measure/method-facts';
import { methodById, methods } from '../../src/methods';
import type { Method } from '../../src/methods/method';
import { methodsNotRun } from '../../src/methods/not-run';
import { METHOD_GROUPS } from '../../src/methods/what-methods-do';
import { bundledModelFacts } from '../../src/study/context';

const contextOf = (tokens: number) => ({ ...bundledModelFacts, tokens });
const PLACES = { evictAt: 960, answerStart: 1000 };
const facts = (id: string): MethodFacts => factsOf(methodById(id), contextOf(1024), PLACES);

/** By hand, from the papers: id, what it does, evicts, unit, sets, phase. */
const known: [string, ...unknown[]][] = [
  ['full', 'baseline', false, null, null, null],
  ['grouped-positions', 'baseline', false, null, null, null],
  ['esa', 'choose', false, 1, 'layer', 'both'],
  ['lagkv', 'drop', true, 1, 'kvHead', 'both'],
  ['lrsa', 'drop', true, 1, 'kvHead', 'both'],
  ['streaming-llm', 'drop', true, 1, 'layer', 'decode'],
  ['tova', 'drop', true, 1, 'layer', 'decode'],
  ['snapkv', 'drop', true, 1, 'kvHead', 'decode'],
  ['pyramidkv', 'allocate', true, 1, 'kvHead', 'decode'],
  ['adakv', 'allocate', true, 1, 'kvHead', 'decode'],
  ['criticalkv', 'drop', true, 1, 'kvHead', 'decode'],
  ['critical-adakv', 'allocate', true, 1, 'kvHead', 'decode'],
  ['simlayerkv', 'allocate', true, 1, 'layer', 'decode'],
  ['duo-attention', 'allocate', true, 'head', 'kvHead', 'decode'],
  ['kvzip', 'drop', true, 1, 'kvHead', 'decode'],
  ['chunkkv', 'drop', true, 10, 'layer', 'decode'],
  ['chunkkv-entropy', 'drop', true, 1, 'layer', 'decode'],
  ['streaming', 'drop', true, 1, 'kvHead', 'both'],
  ['leverage', 'drop', true, 1, 'kvHead', 'decode'],
  ['compactor', 'drop', true, 1, 'kvHead', 'decode'],
  ['freqkv', 'transform', true, 'frequency', 'layer', 'both'],
  ['lorc', 'transform', false, 'rank', 'layer', 'both'],
  ['think', 'transform', false, 'channel', 'kvHead', 'decode'],
  ['merging', 'transform', true, 1, 'kvHead', 'decode'],
  ['quest', 'choose', false, 16, 'queryHead', 'decode'],
  ['minference', 'choose', false, 1, 'queryHead', 'prefill'],
  ['h2o', 'drop', true, 1, 'queryHead', 'both'],
  ['cascading-kv', 'drop', true, 1, 'kvHead', 'both'],
  ['oracle', 'baseline', false, 1, 'kvHead', 'both'],
  ['sentences', 'baseline', true, 'sentence', 'layer', 'decode'],
  ['random', 'baseline', true, 1, 'kvHead', 'decode'],
];

describe('methods side by side', () => {
  it.each(known)('%s', (id, ...wanted) => {
    const { does, evicts, unit, sets, phase } = facts(id);
    expect([does, evicts, unit, sets, phase]).toEqual(wanted);
  });

  it('count full attention’s operations, and the rest against them', () => {
    const { operations, operationsShare, readShare, kept } = facts('full');
    const { layers, queryHeads, headDimension } = bundledModelFacts;
    // 4·d + 3 a key and head, 1,024 keys (docs/measurements.md).
    expect(operations).toBe(layers * queryHeads * (4 * headDimension + 3) * 1024);
    expect([operationsShare, readShare, kept]).toEqual([1, 1, 1]);
    // ⌊0.25·960⌋ keys of the prompt and 64 since.
    expect(facts('random').kept).toBe(304 / 1024);
    expect(facts('random').operationsShare).toBe(304 / 1024);
    expect(facts('lorc').readShare).toBeLessThan(1);
  });

  it('charge a query for what it does, and the text once for an eviction', () => {
    // The share of keys that are seen is all that a query of a method that evicts once pays.
    for (const id of ['tova', 'snapkv', 'adakv', 'kvzip', 'leverage', 'sentences']) {
      const { operationsShare, kept, onceOperations } = facts(id);
      expect(operationsShare, id).toBeCloseTo(kept, 9);
      expect(onceOperations, id).toBeGreaterThan(0);
    }
    for (const id of ['esa', 'quest', 'h2o', 'random', 'full']) expect(facts(id).onceOperations, id).toBe(0);
  });

  it('name what is asked for beside queries, keys and values', () => {
    expect(facts('full').needs).toEqual([]);
    expect(facts('tova').needs).toEqual(['the last query']);
    expect(facts('snapkv').needs).toEqual(['the last 16 queries']);
    expect(facts('expected-attention').needs).toEqual(['all earlier queries', 'keys before rotation']);
    // Whose last queries decide, read first or kept.
    for (const id of ['merging', 'chunkkv-entropy'])
      expect(facts(id).needs, id).toEqual([...facts('chunkkv').needs, 'the text read first']);
    expect(facts('chunkkv').needs).toEqual(['the last 16 queries']);
    expect(facts('squeezed-attention').needs[0]).toMatch(/^the last \d+ queries$/);
    expect(facts('minference').needs).toEqual(['the whole prompt']);
    expect(facts('oracle').needs).toEqual(['full attention']);
    for (const id of ['h2o', 'observed-attention', 'cascading-kv'])
      expect(facts(id).needs, id).toEqual(['attention probabilities']);
    expect(facts('infllm').needs).toEqual(['attention probabilities', 'keys before rotation']);
  });

  it('say prefill of one whose answer is read densely', () => {
    const full = methodById('full');
    const dense = full.cost;
    const prefillOnly: Method = {
      ...full,
      cost(parameters, context, layer, query) {
        const cost = dense(parameters, context, layer, query);
        return query.position < PLACES.evictAt ? { ...cost, keptKeys: cost.keptKeys / 2 } : cost;
      },
    };
    expect(factsOf(prefillOnly, contextOf(1024), PLACES).phase).toBe('prefill');
  });

  it('counts the text that is there, at the defaults of the length that was asked for', () => {
    const places = { evictAt: 900, answerStart: null };
    const full = factsOf(methodById('full'), contextOf(1024), places, 1016);
    expect(full.operations).toBe(factsOf(methodById('full'), contextOf(1016), places).operations);
    // An eighth of the length that was asked for, in pages of 16.
    expect(factsOf(methodById('quest'), contextOf(1024), places, 1016).kept).toBeCloseTo(
      (0.25 * 1016 + 0.75 * 128) / 1016,
      1,
    );
  });

  it.each(methods.map((method) => [method.id, method] as const))('%s at every length', (_id, method) => {
    for (const tokens of [1, 2, 3, 10, 100, 4096]) {
      const evictAt = Math.max(0, tokens - 60);
      const { kept, operations, operationsShare, readShare } = factsOf(method, contextOf(tokens), {
        evictAt,
        answerStart: null,
      });
      for (const value of [kept, operations, operationsShare, readShare]) {
        expect(value).toSatisfy(Number.isFinite);
        expect(value).toBeGreaterThan(0);
      }
    }
  });
});

describe('the list of methods', () => {
  it('has a group for each that does not depend on its parameters', () => {
    const order = METHOD_GROUPS.map(({ does }) => does);
    for (const method of methods) {
      const groups = [contextOf(16), contextOf(1024), contextOf(100_000)].map(
        (context) => factsOf(method, context, { evictAt: context.tokens - 8, answerStart: null }).does,
      );
      expect(new Set(groups).size, method.id).toBe(1);
      expect(order).toContain(groups[0]);
    }
  });

  it('says of those that are not run what they do, why, and where to read', () => {
    expect(methodsNotRun.map(({ title }) => title)).toEqual([
      'SparseAccelerate',
      'SoCo',
      'CoLoR',
      'CPC',
      'LanguaShrink',
      'In-Context Former',
    ]);
    for (const { id, summary, reason, url, year } of methodsNotRun) {
      expect(methods.some((method) => method.id === id)).toBe(false);
      for (const sentence of [summary, reason]) expect(sentence).toMatch(/^[A-Z][^.]*( [^.]*)?\.$/);
      expect(url).toMatch(/^https:\/\//);
      // arXiv numbers begin with year and month.
      const posted = /arxiv\.org\/abs\/(\d\d)/.exec(url);
      if (posted) expect(year).toBe(2000 + Number(posted[1]));
    }
  });
});
