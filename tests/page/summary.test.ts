/** The kept percentage of the page is the sweep's: the study's point lies on its curve. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { measureLayers } from '../../src/measure/measure-layers';
import { sweep } from '../../src/measure/sweep';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { summarise } from '../../src/page/summary';
import { fixtureText, shape } from '../methods/fixture';

const text = fixtureText(createCpuOps());
const specs = [
  ['esa', { projection: 'closed-form', compressedDim: 8, localTokens: 32, chunkTokens: 40, initTokens: 4 }],
  ['lagkv', { lagTokens: 16, sinkTokens: 4 }],
  ['streaming-llm', { positions: 'cache' }],
  ['oracle', {}],
  ['random', { seed: 5 }],
] as const;

describe.each([0, 150])('with queries from token %i', (start) => {
  it.each(specs)('the point of %s %j lies on its curve', async (id, given) => {
    const queries = { start, end: shape.tokens };
    const method = methodById(id);
    const parameters = resolveParameters(method, given, contextOf(text));
    const fractions = [0.5, 0.9];
    const [curve] = await sweep({
      text,
      methods: [{ method, parameters, current: true }],
      fractions,
      queries,
    });
    let compared = 0;
    for (const [at, keep] of fractions.entries()) {
      const fitted = method.withBudget(parameters, contextOf(text), keep, {
        ...{ evictAt: start, answerStart: text.answerStart },
      });
      if (!('parameters' in fitted)) continue;
      const layers = await measureLayers({ text, method, parameters: fitted.parameters, queries });
      const summary = summarise(layers)!;
      const point = curve!.points[at];
      expect(summary.kept).toBeCloseTo(point!.kept!, 6);
      expect(summary.massRecall).toBeCloseTo(point!.massRecall!, 5);
      // Queries near the beginning see few keys and keep most: the ratio of the means is another number.
      if (start === 0 && at === 0) {
        expect(Math.abs(summary.keptKeys / summary.visibleKeys - summary.kept)).toBeGreaterThan(0.005);
      }
      compared += 1;
    }
    // Nothing stands before the first query, so that methods that evict once have nothing to evict.
    expect(compared).toBe(start === 0 && method.traits(parameters).decides === 'once' ? 0 : 2);
  });
});

it('there is no summary of no layers', () => {
  expect(summarise(null)).toBeNull();
  expect(summarise([])).toBeNull();
});
