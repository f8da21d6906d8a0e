/** A free run over a cache of mixtures: full attention's until the cache is full, another from there on. */
import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { freqkv } from '../../src/methods/freqkv';
import { full } from '../../src/methods/full';
import type { Method } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import { someIds, tinyDecoder } from './tiny-model';

const TOKENS = 60;
const ANSWER_START = 50;

const ops = createCpuOps();
const decoder = await tinyDecoder(ops);

/** States of all tokens, [T, D], and what is generated. */
async function read(method: Method, given: Record<string, unknown>) {
  const before = ops.memory().bytes;
  const parameters = resolveParameters(method, given, { ...decoder.config, tokens: TOKENS });
  const { session, queryStates, generated } = await generate({
    ...{ decoder, method, parameters, calibration: null, layerTraces: null, ids: someIds(TOKENS) },
    ...{ answerStart: ANSWER_START, queriesStart: 0, keepQueries: false },
    isAnswerComplete: (answer) => answer.length >= 6,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
  session.release();
  expect(ops.memory().bytes).toBe(before);
  const width = decoder.config.hiddenSize;
  const rows = Array.from({ length: TOKENS }, (_, t) => queryStates.subarray(t * width, (t + 1) * width));
  return { rows, generated };
}

function distance(a: Float32Array, b: Float32Array): number {
  return Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
}

it('is full attention where the cache is never full', async () => {
  const whole = await read(full, {});
  const large = await read(freqkv, { cacheTokens: TOKENS + 10 });
  for (let t = 0; t < TOKENS; t++) expect(distance(large.rows[t]!, whole.rows[t]!)).toBeLessThan(1e-4);
  expect(large.generated).toEqual(whole.generated);
});

it('is full attention up to the first compression, and then no longer', async () => {
  const whole = await read(full, {});
  const small = await read(freqkv, { cacheTokens: 20, sinkTokens: 2 });
  for (let t = 0; t < 20; t++) expect(distance(small.rows[t]!, whole.rows[t]!)).toBeLessThan(1e-4);
  for (let t = 20; t < TOKENS; t++) expect(distance(small.rows[t]!, whole.rows[t]!)).toBeGreaterThan(1e-3);
  expect(small.generated).toHaveLength(6);
  for (const row of small.rows) expect(row.every(Number.isFinite)).toBe(true);
});
