/** The sample of CONTRIBUTING.md: it is a method, and does what it says. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { selectAll } from '../../src/measure/select-all';
import { contextOf } from '../../src/measure/trace-run';
import { resolveParameters } from '../../src/methods/parameters';
import { randomLayers, recordText } from './recorded';
import { strided } from './sample-method';

const shape = { tokens: 60, queryHeads: 2, keyValueHeads: 2, headDimension: 4 };
const text = recordText(createCpuOps(), shape, randomLayers(shape, 2, 11));
const EVICT_AT = 40;

it.each([
  [0.1, [8, 16, 24, 32]],
  [0.25, [0, 8, 16, 24, 32, 35, 36, 37, 38, 39]],
  [0, []],
])('keeps the stride first, then what is recent: %s', async (keepFraction, expected) => {
  const parameters = resolveParameters(strided, { keepFraction }, contextOf(text));
  const { after } = await selectAll({
    text,
    method: strided,
    parameters,
    recordedIndex: 1,
    evictAt: EVICT_AT,
    withScores: false,
  });
  const earlier = after.kept.sets.map((set) => [...set].filter((token) => token < EVICT_AT));
  expect(earlier.length === 0 ? [[]] : earlier).toEqual([expected]);
  expect(after.kept.rangeStart).toBe(EVICT_AT);
});

it('gives a budget as the fraction asked for', () => {
  const context = contextOf(text);
  const parameters = resolveParameters(strided, {}, context);
  const places = { evictAt: EVICT_AT, answerStart: null };
  expect(strided.withBudget(parameters, context, 0.5, places)).toEqual({
    parameters: { ...parameters, keepFraction: 0.5 },
  });
});
