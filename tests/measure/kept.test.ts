/** One definition of the kept percentage: the probe's keptShare, the sweep's kept and the cost's density. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureCost } from '../../src/measure/cost';
import { measureLayers } from '../../src/measure/measure-layers';
import { sweep } from '../../src/measure/sweep';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { draw, lcg } from '../golden/lcg';
import { recordText } from '../methods/recorded';

/** Counts do not depend on what the text says. */
function textOf(tokens: number, answerStart: number | null) {
  const next = lcg(7);
  const shape = { tokens, queryHeads: 2, keyValueHeads: 1, headDimension: 8 };
  const layer = () => ({
    query: draw(next, 2 * tokens * 8),
    key: draw(next, tokens * 8),
    value: draw(next, tokens * 8),
  });
  return recordText(createCpuOps(), shape, [layer(), layer()], { answerStart });
}

const esa = { compressedDim: 4, localTokens: 50, chunkTokens: 64, selectedTokens: 33, initTokens: 5 };

describe('kept', () => {
  it.each([
    ['esa', esa, 900, 0, null],
    ['streaming-llm', { keepFraction: 0.1 }, 500, 0, null],
    ['streaming-llm', { keepFraction: 0.1, positions: 'cache' }, 500, 0, null],
    ['lagkv', { variant: 'kvpress', keepFraction: 0.25 }, 777, 333, null],
    // Answers of 29 tokens, of which a sweep takes 16.
    ['esa', esa, 529, 450, 500],
    ['lagkv', { variant: 'kvpress', keepFraction: 0.25 }, 529, 450, 500],
    ['lagkv', { keepFraction: 0.25, lagTokens: 32 }, 529, 450, 500],
    ['streaming-llm', { keepFraction: 0.1, positions: 'cache' }, 529, 450, 500],
    ['oracle', { keepFraction: 0.25 }, 529, 450, 500],
  ] as const)(
    'of %s %o is one number: %i tokens, queries from %i, answer from %s',
    async (id, given, tokens, start, answerStart) => {
      const text = textOf(tokens, answerStart);
      const context = contextOf(text);
      const method = methodById(id);
      const queries = { start, end: tokens };
      const parameters = resolveParameters(method, given, context);
      const layers = await measureLayers({ text, method, parameters, queries });
      const keptShare = layers.reduce((sum, layer) => sum + layer.keptShare, 0) / layers.length;
      const { density } = measureCost({
        ...{ method, parameters, context, queries, answerStart, weightOperations: 0 },
      });
      expect(Math.abs(density - keptShare)).toBeLessThan(1e-6);
      // The original positions evict what stands before the queries: here nothing.
      if (id === 'streaming-llm' && start === 0 && !('positions' in given)) expect(keptShare).toBe(1);
      else expect(keptShare).toBeLessThan(0.99);

      // The budget at which the sweep has these very parameters; null: it has no such point, as nothing stands before the queries.
      const places = { evictAt: start, answerStart };
      const isCurrent = (keep: number): boolean => {
        const fitted = method.withBudget(parameters, context, keep, places);
        return 'parameters' in fitted && JSON.stringify(fitted.parameters) === JSON.stringify(parameters);
      };
      const asked = 'keepFraction' in given ? [given.keepFraction] : [];
      const budgets = [...asked, ...Array.from({ length: tokens }, (_, i) => (i + 1) / tokens)];
      const keep = budgets.find(isCurrent);
      if (keep === undefined) {
        expect([id, start]).toEqual(['streaming-llm', 0]);
        return;
      }
      const [curve] = await sweep({
        ...{ text, queries, fractions: [keep], methods: [{ method, parameters, current: true }] },
      });
      expect(Math.abs(curve!.points[0]!.kept! - keptShare)).toBeLessThan(1e-6);
    },
  );
});
