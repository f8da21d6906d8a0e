/** The samples of CONTRIBUTING.md: they are methods, and do what they say. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { selectAll } from '../../src/measure/select-all';
import { contextOf } from '../../src/measure/trace-run';
import { resolveParameters } from '../../src/methods/parameters';
import { someIds, tinyDecoder } from '../engine/tiny-model';
import { randomLayers, recordText } from './recorded';
import { lookedAt } from './sample-attention-method';
import { strided } from './sample-method';

const shape = { tokens: 60, queryHeads: 2, keyValueHeads: 2, headDimension: 4 };
const layers = randomLayers(shape, 2, 11);
const text = recordText(createCpuOps(), shape, layers);
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
    traceIndex: 1,
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

describe('looked-at', () => {
  it('keeps, for each KV head, the keys with the largest sum of probabilities of the last eight queries', async () => {
    const parameters = resolveParameters(lookedAt, { keepFraction: 0.2 }, contextOf(text));
    const { after } = await selectAll({
      ...{ text, method: lookedAt, parameters, traceIndex: 1, evictAt: EVICT_AT, withScores: true },
    });
    const { query, key } = layers[1]!;
    const { tokens, keyValueHeads, headDimension: d } = shape;
    for (let head = 0; head < keyValueHeads; head++) {
      // From the definition, in double precision; this text has as many query heads as KV heads.
      const received = new Float64Array(EVICT_AT);
      for (let i = EVICT_AT - 8; i < EVICT_AT; i++) {
        const logits = Array.from({ length: i + 1 }, (_, t) => {
          let dot = 0;
          for (let c = 0; c < d; c++)
            dot += query[(head * tokens + i) * d + c]! * key[(head * tokens + t) * d + c]!;
          return Math.exp(dot / Math.sqrt(d));
        });
        const sum = logits.reduce((all, x) => all + x, 0);
        logits.forEach((x, t) => {
          received[t]! += x / sum;
        });
      }
      const wanted = [...received.keys()].sort((a, b) => received[b]! - received[a]!).slice(0, 8);
      expect([...after.kept.sets[head]!]).toEqual(wanted.sort((a, b) => a - b));
      after.scores![head]!.forEach((score, t) => {
        if (t < EVICT_AT) expect(score).toBeCloseTo(received[t]!, 5);
      });
    }
  });

  it('has its queries in a free run, too', async () => {
    const ops = createCpuOps();
    const decoder = await tinyDecoder(ops);
    const ids = someIds(60);
    const parameters = { keepFraction: 0.25 };
    const before = ops.memory().bytes;
    const { session, generated } = await generate({
      ...{ decoder, method: lookedAt, parameters, calibration: null, layerTraces: null, ids },
      ...{ answerStart: 50, queriesStart: 40, keepQueries: false },
      isAnswerComplete: (answer) => answer.length >= 3,
      signal: new AbortController().signal,
      onProgress: () => {},
    });
    expect(generated).toHaveLength(3);
    session.release();
    expect(ops.memory().bytes).toBe(before);
  });
});
