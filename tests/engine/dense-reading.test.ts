/** A method that is dense before its eviction takes over what full attention has read, and nothing else comes of it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { type DenseReading, type Generation, generate } from '../../src/engine/generation';
import { methods } from '../../src/methods';
import { FULL_AS_TRAINED, full } from '../../src/methods/full';
import type { Method } from '../../src/methods/method';
import { type Parameters, resolveParameters } from '../../src/methods/parameters';
import type { Decoder } from '../../src/model/decoder/decoder';
import { type OwnedTrace, traceOfSession } from '../../src/trace/from-decoder';
import { someIds, tinyDecoder } from './tiny-model';

const ops = createCpuOps();
const TOKENS = 64;
const [queriesStart, answerStart] = [48, 58];
const ids = someIds(TOKENS);
let decoder: Decoder;
let trace: OwnedTrace;
let dense: DenseReading;

async function read(
  method: Method,
  parameters: Parameters,
  more: { dense?: DenseReading | null; evictAt?: number; keepQueries?: boolean; keepHidden?: boolean } = {},
): Promise<Generation> {
  return generate({
    ...{ decoder, method, parameters, ids, answerStart, queriesStart },
    ...{ calibration: null, layerTraces: trace?.layerTraces ?? null },
    keepQueries: false,
    ...more,
    isAnswerComplete: (generated) => generated.length >= 3,
    signal: new AbortController().signal,
    onProgress: () => {},
  });
}

beforeAll(async () => {
  decoder = await tinyDecoder(ops);
  const { session, queryStates } = await read(full, FULL_AS_TRAINED, { keepQueries: true, keepHidden: true });
  trace = traceOfSession(decoder, session, { tokens: TOKENS, answerStart, calibration: null });
  dense = { layerTraces: trace.layerTraces, queryStates };
});
afterAll(() => {
  trace.release();
  decoder.release();
});

const context = {
  tokens: TOKENS,
  trainedTokens: 2048,
  layers: 3,
  queryHeads: 4,
  keyValueHeads: 2,
  headDimension: 16,
};
/** Without those that have a model read on behind the text, or know its words: there are none here. */
const isDense = (method: Method): boolean => {
  const { isDenseBefore, wants } = method.traits(resolveParameters(method, {}, context));
  return Boolean(isDenseBefore && !wants.rereading);
};

describe.each(methods.filter(isDense).map((method) => [method.id, method] as const))('%s', (_id, method) => {
  const fitted = method.withBudget(resolveParameters(method, {}, context), context, 0.5, {
    evictAt: queriesStart,
    answerStart,
  });
  const parameters = 'parameters' in fitted ? fitted.parameters : resolveParameters(method, {}, context);

  const places: [where: string, evictAt: number][] = [
    ['before the question', queriesStart],
    ['before the answer', answerStart],
  ];
  const isOneOfMany = !['snapkv', 'observed-attention', 'quest'].includes(method.id);
  test.each(isOneOfMany ? places : [...places, ['within the answer', answerStart + 1]])(
    'gives the same bits, evicting %s',
    async (_where, evictAt) => {
      const before = ops.memory().bytes;
      const alone = await read(method, parameters, { evictAt });
      const shared = await read(method, parameters, { evictAt, dense });
      expect(shared.generated).toEqual(alone.generated);
      expect(Buffer.from(shared.queryStates.buffer).equals(Buffer.from(alone.queryStates.buffer))).toBe(true);
      expect(shared.notices).toEqual(alone.notices);
      alone.session.release();
      shared.session.release();
      expect(ops.memory().bytes).toBe(before);
    },
  );
});

test('methods that decide once, or by every query, are dense before', () => {
  const ids = methods.filter(isDense).map(({ id }) => id);
  expect(ids).toEqual(expect.arrayContaining(['snapkv', 'random', 'adakv', 'quest', 'loki']));
  for (const other of ['full', 'esa', 'h2o', 'lorc', 'tokenselect', 'lagkv'])
    expect(ids).not.toContain(other);
});

test('what is taken over is not read again', async () => {
  const ends: number[] = [];
  const method = methods.find(({ id }) => id === 'snapkv')!;
  const parameters = resolveParameters(method, {}, context);
  const reading = await generate({
    ...{ decoder, method, parameters, ids, answerStart, queriesStart, dense },
    ...{ calibration: null, layerTraces: null, keepQueries: false },
    isAnswerComplete: () => true,
    signal: new AbortController().signal,
    onProgress: (end) => ends.push(end),
  });
  reading.session.release();
  // The prompt's first part at once, then the question.
  expect(ends.slice(0, 2)).toEqual([queriesStart, answerStart]);
});
