import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { explainRow } from '../../src/measure/explain-row';
import { contextOf } from '../../src/measure/probe-run';
import { methodById } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { KEY_FATES, type KeyFate } from '../../src/study/types';
import { expectClose } from '../methods/agreement';
import { expectedScores, fixtureText, inputs, shape } from '../methods/fixture';

const { tokens } = shape;
const text = fixtureText(createCpuOps());
const explain = (id: string, given: Record<string, unknown>, query: number, head = 2) =>
  explainRow({
    text,
    method: methodById(id),
    parameters: resolveParameters(id, methodById(id).parameters, given, contextOf(text)),
    layer: 1,
    head,
    query,
    evictAt: 150,
  });

describe('explainRow', () => {
  it('gives full attention’s weights', async () => {
    const row = await explain('full', {}, 100, 3);
    const attention = inputs.float32('attention.1');
    const start = (3 * tokens + 100) * tokens;
    expectClose(row.weights, attention.subarray(start, start + tokens), 5);
    expect(row.scores).toBeNull();
    expect(row.scoreAtCut).toBeNull();
  });

  it('tells ESA’s parts apart, with scores and the score at the cut', async () => {
    const name = 'esa@init4_local32_chunk32_k24_eps0';
    const given = {
      projection: 'exact',
      initTokens: 4,
      localTokens: 32,
      chunkTokens: 32,
      selectedTokens: 24,
      proximity: 0,
    };
    const row = await explain('esa', given, 170);
    const fates = [...row.fates].map((code): KeyFate => KEY_FATES[code]);
    const of = (fate: KeyFate): number[] => fates.flatMap((found, token) => (found === fate ? [token] : []));
    const range = (start: number, end: number): number[] =>
      Array.from({ length: end - start }, (_, i) => start + i);
    expect(of('sink')).toEqual(range(0, 4));
    expect(of('local')).toEqual(range(128, 160));
    expect(of('own-block')).toEqual(range(160, 171));
    expect(of('future')).toEqual(range(171, tokens));
    expect(of('selected').length).toBe(24);
    expect(of('selected').length + of('dropped').length).toBe(124);
    const reference = expectedScores(`${name}.score.1`)[0];
    expectClose(row.scores!.subarray(4, 128), reference.subarray(4, 128), 3);
    const scoreOf = (token: number): number => row.scores![token];
    expect(row.scoreAtCut).toBe(Math.min(...of('selected').map(scoreOf)));
    expect(Math.max(...of('dropped').map(scoreOf))).toBeLessThanOrEqual(row.scoreAtCut!);
    expect(row.tiedAtCut).toBeGreaterThanOrEqual(1);
  });

  it('knows sinks and the window of StreamingLLM, and what came after the eviction', async () => {
    const row = await explain('streaming-llm', { keepFraction: 0.25 }, 180);
    const fates = [...row.fates].map((code) => KEY_FATES[code]);
    // ⌊150 / 4⌋ of the tokens before the eviction at 150.
    const first = 150 - (37 - 4);
    expect(fates.slice(0, 5)).toEqual(['sink', 'sink', 'sink', 'sink', 'dropped']);
    expect(fates[first - 1]).toBe('dropped');
    expect(fates[first]).toBe('local');
    expect(fates[149]).toBe('local');
    expect(fates[180]).toBe('own-block');
    expect(fates[181]).toBe('future');
  });

  it('says nothing of a cut where partitions are cut apart', async () => {
    const row = await explain('lagkv', { lagTokens: 16, sinkTokens: 4 }, 180);
    expect(row.scores!.some(Number.isFinite)).toBe(true);
    expect(row.scoreAtCut).toBeNull();
  });
});
