/** Head scores that are found on the text, and budgets of whole heads. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { contextOf, methodContext, startTraceRun } from '../../src/measure/trace-run';
import { duoAttention } from '../../src/methods/duo-attention';
import { scoresOnTheFly } from '../../src/methods/duo-attention/found-scores';
import { rolesOf, roundHalfEven } from '../../src/methods/duo-attention/roles';
import { resolveParameters } from '../../src/methods/parameters';
import { randomLayers, recordText, rotate, type TextShape } from './recorded';

const shape: TextShape = { tokens: 60, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
const EVICT_AT = 48;
const layers = randomLayers(shape, 3, 5, 3);
const text = recordText(createCpuOps(), shape, layers);
const resolve = (given: Record<string, unknown>) => resolveParameters(duoAttention, given, contextOf(text));

/** kvpress's duo_attention_on_the_fly, step by step: mean row repeated, rotated, softmax of the last query, mean of its cumulated sums. */
function areaOf(query: Float32Array, key: Float32Array, head: number, group: number): number {
  const { tokens, headDimension: d } = shape;
  const n = 500;
  const repeated = (data: Float32Array, of: number): Float32Array => {
    const mean = Array.from({ length: d }, (_, c) => {
      let sum = 0;
      for (let t = 0; t < EVICT_AT; t++) sum += data[(of * tokens + t) * d + c]!;
      return sum / EVICT_AT;
    });
    return rotate(
      Float32Array.from({ length: n * d }, (_, i) => mean[i % d]!),
      n,
      d,
    );
  };
  const [q, k] = [repeated(query, head), repeated(key, group)];
  const exponentials = Array.from({ length: n }, (_, t) => {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += q[(n - 1) * d + c]! * k[t * d + c]!;
    return Math.exp(sum / Math.sqrt(d));
  });
  const all = exponentials.reduce((sum, value) => sum + value, 0);
  let [cumulated, area] = [0, 0];
  for (const value of exponentials) {
    cumulated += value / all;
    area += cumulated / n;
  }
  return area;
}

describe('head scores', () => {
  it('found on the text are kvpress’s, of the tokens before the eviction', async () => {
    const found = await scoresOnTheFly(methodContext(text, EVICT_AT));
    const wanted = layers.map(({ queryUnrotated, keyUnrotated }) =>
      [0, 1].map((group) => {
        const areas = [2 * group, 2 * group + 1].map((head) =>
          areaOf(queryUnrotated!, keyUnrotated!, head, group),
        );
        return (areas[0]! + areas[1]!) / 2;
      }),
    );
    const differences = found.flat().map((score, i) => Math.abs(score - wanted.flat()[i]!));
    expect(Math.max(...differences)).toBeLessThan(1e-5);
    expect(new Set(found.flat()).size).toBe(6);
  });

  it('need every layer of the text', async () => {
    const part = { ...text, layerTraces: text.layerTraces.slice(1) };
    await expect(startTraceRun(part, duoAttention, resolve({}), EVICT_AT)).rejects.toThrow(
      'duo-attention: without headScores it finds scores in the text of all 3 layers, which this source does not have; give headScores.',
    );
    const headScores = [
      [0, 1],
      [1, 1],
      [1, 0.5],
    ];
    const started = await startTraceRun(part, duoAttention, resolve({ headScores }), EVICT_AT);
    expect(started.run.notices).toEqual(['Streaming heads by layer, of 2 each: 2, 0, 1.']);
    started.dispose();
  });

  it('choose the lowest, of equal ones the first', () => {
    expect(
      rolesOf(
        [
          [0.5, 0.2],
          [0.2, 0.5],
        ],
        3,
      ),
    ).toEqual([
      [true, true],
      [true, false],
    ]);
    expect([0.5, 1.5, 2.5, 2.4, 2.6].map(roundHalfEven)).toEqual([0, 2, 2, 2, 3]);
  });
});

it('a budget is met by whole heads, as few as it takes', () => {
  const parameters = resolve({ sinkTokens: 2, recentTokens: 6 });
  const places = { evictAt: EVICT_AT, answerStart: null };
  const fitted = (fraction: number) => duoAttention.withBudget(parameters, contextOf(text), fraction, places);
  // 6 heads of 48 keys, 40 of which a streaming head drops: ⌊0.6·48⌋ = 28 on average are 3 heads’ worth.
  expect(fitted(0.6)).toEqual({ parameters: { ...parameters, streamingFraction: 3 / 6 } });
  expect(fitted(1)).toEqual({ parameters: { ...parameters, streamingFraction: 0 } });
  expect(fitted(0.1)).toEqual({ floor: 8 / 48 });
  const query = { position: 50, block: { start: 48, end: 60 }, evictAt: EVICT_AT, promptEnd: 60 };
  const costOf = (given: Record<string, unknown>, layer: number) =>
    duoAttention.cost(resolve({ sinkTokens: 2, recentTokens: 6, ...given }), contextOf(text), layer, query)
      .keptKeys;
  expect(costOf({}, 0)).toBe(28 + 3);
  const headScores = [
    [0, 1],
    [1, 1],
    [0, 0],
  ];
  expect([0, 1, 2].map((layer) => costOf({ headScores }, layer))).toEqual([28 + 3, 48 + 3, 8 + 3]);
});
