import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import {
  continuationTokens,
  type Generation,
  type GenerationRequest,
  generate,
} from '../../src/engine/generation';
import { logitBlocks } from '../../src/measure/logits';
import { FULL_AS_TRAINED, full } from '../../src/methods/full';
import type { Method } from '../../src/methods/method';
import { streamingLlm } from '../../src/methods/streaming-llm';
import { scoresOf } from '../../src/model/architectures/config';
import { attendSelection } from '../../src/model/decoder/attend';
import { type DecoderSession, startSession } from '../../src/model/decoder/decoder';
import { forward } from '../../src/model/decoder/forward';
import { LONGEST_ANSWER_TOKENS } from '../../src/study/limits';
import { someIds, tinyDecoder } from './tiny-model';

const ops = createCpuOps();
const decoder = await tinyDecoder(ops);
const vocabulary = decoder.config.vocabularySize;

function request(ids: Uint32Array, change: Partial<GenerationRequest>): GenerationRequest {
  return {
    decoder,
    method: full,
    parameters: FULL_AS_TRAINED,
    calibration: null,
    layerTraces: null,
    ids,
    answerStart: null,
    queriesStart: 0,
    keepQueries: false,
    isAnswerComplete: () => false,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...change,
  };
}

async function fullLogits(ids: Uint32Array): Promise<Float32Array> {
  const { logits, reader } = await forward(decoder, ids);
  reader.release();
  return logits;
}

/** Logits at each query of a reading. */
async function logitsOf({ queryStates }: Generation): Promise<Float32Array> {
  const blocks: number[] = [];
  for await (const { logits } of logitBlocks(decoder, queryStates)) blocks.push(...logits);
  return Float32Array.from(blocks);
}

function expectClose(actual: Float32Array, expected: Float32Array): void {
  expect(actual.length).toBe(expected.length);
  const largest = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  const worst = expected.reduce((max, value, i) => Math.max(max, Math.abs(value - actual[i]!)), 0);
  expect(worst / largest).toBeLessThan(1e-5);
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);
}

/** The token with the largest logit in a row. */
function best(logits: Float32Array, row: number): number {
  const values = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
  return values.indexOf(Math.max(...values));
}

describe('a free run', () => {
  test('with full attention in blocks gives the logits of one pass', async () => {
    const ids = someIds(75);
    const reading = await generate(request(ids, { queriesStart: 20 }));
    expectClose(await logitsOf(reading), (await fullLogits(ids)).subarray(20 * vocabulary));
    expect(reading.generated).toBeNull();
    reading.session.release();
  });

  test('generates greedily what repeated full passes would, and ends with the true answer in its caches', async () => {
    const ids = someIds(40);
    const answerStart = 33;
    const reading = await generate(
      request(ids, { answerStart, queriesStart: 30, isAnswerComplete: (generated) => generated.length >= 5 }),
    );
    const wanted: number[] = [];
    while (wanted.length < 5) {
      const so = Uint32Array.from([...ids.subarray(0, answerStart), ...wanted]);
      wanted.push(best(await fullLogits(so), so.length - 1));
      if (decoder.config.eosTokens.includes(wanted[wanted.length - 1]!)) break;
    }
    expect(reading.generated).toEqual(wanted);
    expect(reading.session.length).toBe(40);
    expectClose(await logitsOf(reading), (await fullLogits(ids)).subarray(30 * vocabulary));
    reading.session.release();
  });

  test('an answer that agrees with the truth for a while, then not, leaves the logits of the truth', async () => {
    const prompt = someIds(30);
    const first = best(await fullLogits(prompt), 29);
    const wrong = (first + 1) % vocabulary;
    const ids = Uint32Array.from([...prompt, first, wrong, 5, 6]);
    const reading = await generate(
      request(ids, {
        answerStart: 30,
        queriesStart: 28,
        isAnswerComplete: (generated) => generated.length >= 3,
      }),
    );
    expect(reading.generated?.[0]).toBe(first);
    expectClose(await logitsOf(reading), (await fullLogits(ids)).subarray(28 * vocabulary));
    reading.session.release();
  });

  test('an answer without end stops', async () => {
    const endless = { ...decoder, config: { ...decoder.config, eosTokens: [] } };
    const asked = request(someIds(20), { decoder: endless, answerStart: 18, queriesStart: 15 });
    const reading = await generate(asked);
    expect(reading.generated?.length).toBe(LONGEST_ANSWER_TOKENS);
    expect(reading.session.length).toBe(20);
    reading.session.release();
  });

  test('a text without an answer is continued greedily, as repeated full passes would, and stays as it is', async () => {
    const ids = someIds(40);
    const endless = { ...decoder, config: { ...decoder.config, eosTokens: [] } };
    const reading = await generate(
      request(ids, { decoder: endless, continuation: 4, keepQueries: true, queriesStart: 30 }),
    );
    const wanted: number[] = [];
    while (wanted.length < 4) {
      const so = Uint32Array.from([...ids, ...wanted]);
      wanted.push(best(await fullLogits(so), so.length - 1));
    }
    expect(reading.generated).toEqual(wanted);
    expect(reading.session.length).toBe(40);
    expectClose(await logitsOf(reading), (await fullLogits(ids)).subarray(30 * vocabulary));
    reading.session.release();
    const ended = { ...decoder, config: { ...decoder.config, eosTokens: [wanted[0]!] } };
    const short = await generate(request(ids, { decoder: ended, continuation: 4 }));
    expect(short.generated, 'up to an end token').toEqual(wanted.slice(0, 1));
    short.session.release();
    expect(continuationTokens({ learnedPositions: true, trainedTokens: 50 }, 40)).toBe(10);
    expect(continuationTokens({ learnedPositions: false, trainedTokens: 50 }, 40)).toBe(32);
  });

  test('a method that evicts reads densely, then loses keys: other logits after the cut, the same before', async () => {
    const ids = someIds(64);
    const reading = await generate(
      request(ids, {
        method: streamingLlm as Method,
        parameters: { keepFraction: 0.25, sinkTokens: 4, positions: 'original' },
        queriesStart: 48,
      }),
    );
    const { reader: dense, logits } = await forward(decoder, ids);
    // Values of the last layer come from the hidden states of their own token: [token, G·d] in a row.
    const width = decoder.config.keyValueHeads * decoder.config.headDimension;
    const values = async ({ caches }: DecoderSession, from: number, to: number) =>
      ops.readFloats(caches[decoder.config.layers - 1]!.value.buffer, from * width, (to - from) * width);
    expectClose(await values(reading.session, 0, 48), await values(dense, 0, 48));
    const [cut, whole] = [await values(reading.session, 48, 49), await values(dense, 48, 49)];
    expect(largestDifference(cut, whole), 'the first query after the cut').toBeGreaterThan(1e-3);
    const after = logits.subarray(48 * vocabulary);
    expect(largestDifference(await logitsOf(reading), after)).toBeGreaterThan(1e-3);
    reading.session.release();
    dense.release();
  });

  test('is cancelled between blocks and gives everything back', async () => {
    const before = ops.memory().bytes;
    const controller = new AbortController();
    const reading = generate(
      request(someIds(200), {
        signal: controller.signal,
        onProgress: (tokens) => tokens >= 50 && controller.abort(new Error('overtaken')),
      }),
    );
    await expect(reading).rejects.toThrow('overtaken');
    expect(ops.memory().bytes).toBe(before);
  });

  test('one token is a text', async () => {
    const reading = await generate(request(someIds(1), {}));
    expectClose(await logitsOf(reading), await fullLogits(someIds(1)));
    reading.session.release();
    expect(ops.memory().bytes).toBe(decoderBytes);
  });
});

const decoderBytes = ops.memory().bytes;

describe('blocks read together', () => {
  const ids = someIds(23);
  /** Hidden states of all tokens; a block's queries see five tokens before it, so that it matters which block a token is in. */
  async function statesOf(reads: readonly (readonly number[])[]): Promise<Float32Array> {
    const { hiddenSize: D } = decoder.config;
    const reader = startSession(decoder, { capacity: ids.length, mostAtOnce: ids.length, keepQueries: true });
    const states = new Float32Array(ids.length * D);
    for (const blockEnds of reads) {
      const from = reader.length;
      const hidden = await reader.read(ids.subarray(from, blockEnds[blockEnds.length - 1]), {
        blockEnds,
        attend: (asked) => {
          const { start, end } = asked;
          const input = { ...asked, block: { start, end }, logSumExp: null };
          const seen = { list: null, rangeStart: Math.max(0, start - 5) };
          const logSumExp = { ...asked.logSumExp!, offset: asked.logSumExp!.offset + start };
          attendSelection(ops, input, seen, scoresOf(decoder.config), asked.out, logSumExp);
        },
      });
      states.set(await ops.readFloats(hidden.buffer, hidden.offset, (reader.length - from) * D), from * D);
    }
    reader.release();
    return states;
  }

  test('give the numbers of blocks read one by one', async () => {
    const together = await statesOf([[7, 8, 20, 23]]);
    expectClose(together, await statesOf([[7], [8], [20], [23]]));
    expectClose(
      together,
      await statesOf([
        [7, 8],
        [20, 23],
      ]),
    );
    const other = await statesOf([[9, 20, 23]]);
    expect(
      other.some((value, i) => Math.abs(value - together[i]!) > 1e-3),
      'blocks matter',
    ).toBe(true);
  });

  test('say how far they are layer by layer, and end between layers when they are cancelled', async () => {
    const seen: number[] = [];
    const long = someIds(600);
    const run = request(long, { queriesStart: 599, onProgress: (tokens) => seen.push(tokens) });
    const reading = await generate(run);
    reading.session.release();
    expect(seen).toEqual([0, 200, 400, 600]);

    const controller = new AbortController();
    const reason = new Error('overtaken');
    let reached = -1;
    const cancelled = generate({
      ...run,
      signal: controller.signal,
      onProgress: (tokens) => {
        reached = tokens;
        if (tokens > 0) controller.abort(reason);
      },
    });
    await expect(cancelled).rejects.toBe(reason);
    expect(reached).toBe(200);
  });
});
