/** MInference beside its reference runs: whose queries count, what a search leaves, what is refused. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { explainRow } from '../../src/measure/explain-row';
import { measureLayers } from '../../src/measure/measure-layers';
import { contextOf } from '../../src/measure/trace-run';
import { minference } from '../../src/methods/minference';
import { resolveParameters } from '../../src/methods/parameters';
import { randomLayers, recordText } from './recorded';

const shape = { tokens: 48, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const text = recordText(createCpuOps(), shape, randomLayers(shape, 1, 3), { answerStart: 40 });
const parametersOf = (given: Record<string, unknown>) =>
  resolveParameters(minference, given, contextOf(text));
const sparse = { verticalTokens: 4, slashDiagonals: 5, forcedColumns: 2, forcedDiagonals: 2, lastQueries: 6 };

describe('MInference', () => {
  it('means over the prompt’s queries alone, and reads the answer densely', async () => {
    const parameters = parametersOf({ pattern: 'a-shape', initTokens: 2, localTokens: 3 });
    const measure = (start: number) =>
      measureLayers({ text, method: minference, parameters, queries: { start, end: 48 } });
    const [layer] = await measure(36);
    expect(layer!.keptKeys).toBe(5);
    expect(layer!.visibleKeys).toBe(38.5);
    const [answer] = await measure(41);
    expect(answer!.keptShare).toBe(1);
    expect(answer!.massRecall).toBeCloseTo(1, 6);
  });

  it('names the pattern of the head, by search the one that keeps most', async () => {
    const parameters = parametersOf({ ...sparse, pattern: 'search', blockTokens: 4, firstQuery: 10 });
    const queries = { start: 30, end: 48 };
    const [layer] = await measureLayers({ text, method: minference, parameters, queries });
    const { candidates, heads } = layer!.patterns!;
    expect(candidates).toHaveLength(6);
    const { chosen, masses } = heads[1]!;
    expect(masses[chosen]).toBe(Math.max(...masses));
    const request = { text, method: minference, parameters, layer: 0, head: 1, query: 35, evictAt: 30 };
    const { rule } = await explainRow(request);
    expect(rule.kind).toBe('pattern');
    expect(rule.pattern).toContain(`its head reads the prompt by ${candidates[chosen]}: `);
  });

  it.each([
    [[{ pattern: 'a-shape', initTokens: 1 }], 'must be a list with a list of numbers for each candidate'],
    [[[3, 1, 1]], 'candidate 0 is no pattern'],
    [
      [
        [2, 4, 1],
        [2, 8, 1],
      ],
      'must all have blocks of one length',
    ],
  ])('refuses candidates %j', (candidates, sentence) => {
    expect(() => parametersOf({ pattern: 'search', candidates })).toThrow(sentence);
  });

  it('takes candidates as the code’s names have them', () => {
    const candidates = [
      { pattern: 'vertical-slash', verticalTokens: 3, slashDiagonals: 4 },
      { pattern: 'block-sparse', blockTokens: 8, topBlocks: 'floor(blocks/2)' },
    ];
    expect(parametersOf({ candidates }).candidates).toEqual([
      [1, 3, 4],
      [2, 8, -2],
    ]);
  });
});
