/** KVzip beside its reference runs: words, budgets, what it refuses, and the same choice in probe and free run. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { measureLayers } from '../../src/measure/measure-layers';
import { Memo } from '../../src/measure/memo';
import { readKept } from '../../src/measure/selection-reader';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { kvzip } from '../../src/methods/kvzip';
import { passagesOf } from '../../src/methods/kvzip/passages';
import type { Method } from '../../src/methods/method';
import { resolveParameters } from '../../src/methods/parameters';
import { forward } from '../../src/model/decoder/forward';
import { traceOfSession } from '../../src/trace/from-decoder';
import { type Rereading, rereadingOf } from '../../src/trace/rereading';
import { someIds, tinyDecoder } from '../engine/tiny-model';
import { randomLayers, recordText } from './recorded';

const TOKENS = 70;
const EVICT_AT = 50;
const ids = someIds(TOKENS);
const ops = createCpuOps();
const decoder = await tinyDecoder(ops);
const { reader } = await forward(decoder, ids, { keepStates: 'none' });
const text = traceOfSession(decoder, reader, {
  ...{
    tokens: TOKENS,
    calibration: null,
    read: { ids, encode: (words) => [words.length % 100], textsOf: null },
  },
});
const context = contextOf(text);
const resolve = (given: Record<string, unknown>) => resolveParameters(kvzip, given, context);

/** Kept keys of every layer and head after the eviction. */
async function keptWith(given: Record<string, unknown>, memo?: Memo, of = text): Promise<number[][]> {
  const started = await startTraceRun(of, kvzip, resolve(given), EVICT_AT, memo ? { memo } : {});
  const sets: number[][] = [];
  for (const recorded of of.layerTraces) {
    const selection = started.run.select(started.inputOf(recorded, { start: EVICT_AT, end: TOKENS }));
    sets.push(...(await readKept(ops, selection, 2)).sets.map((set) => [...set]));
  }
  started.dispose();
  return sets;
}

/** How often the model reads on. */
function counting(): { readonly text: typeof text; readings: number } {
  const counted = { readings: 0, text };
  const read: Rereading['read'] = (...asked) => {
    counted.readings += 1;
    return text.rereading!.read(...asked);
  };
  counted.text = { ...text, rereading: { ...text.rereading!, read } };
  return counted;
}

describe('kvzip', () => {
  it('repeats chunk by chunk behind kvpress’s words', () => {
    const asked: string[] = [];
    const encode = (words: string): number[] => {
      asked.push(words);
      return [1000 + asked.length];
    };
    const chunks = [
      { start: 0, end: 40 },
      { start: 40, end: 50 },
    ];
    const passages = passagesOf({ ids, textsOf: null, encode }, chunks, null).map((passage) => [...passage]);
    expect(passages).toEqual([
      [1001, 1002, ...ids.slice(0, 40)],
      [1003, ...ids.slice(32, 40), 1004, ...ids.slice(40, 50)],
    ]);
    expect(asked).toEqual([
      '\n\nRepeat the previous context exactly.',
      '\n',
      '\n\nRepeat the part of the previous context exactly, starting with',
      '\n',
    ]);
    expect([...passagesOf({ ids, textsOf: null, encode: null }, chunks, null)[0]!]).toEqual([
      ...ids.slice(0, 40),
    ]);
  });

  it('keeps as many keys as asked for, over all heads or in every layer, the sinks among them', async () => {
    const sizes = (sets: number[][]) => sets.map(({ length }) => length);
    const sum = (counts: number[]) => counts.reduce((all, count) => all + count, 0);
    const kept = await keptWith({ keepFraction: 0.3 });
    expect(sum(sizes(kept))).toBe(6 * 15);
    expect(new Set(sizes(kept)).size).toBeGreaterThan(1);
    for (const set of kept) expect(set.slice(0, 4)).toEqual([0, 1, 2, 3]);
    const byLayer = sizes(await keptWith({ keepFraction: [0.3, 0.5, 0.7], layerwise: true }));
    expect([0, 2, 4].map((at) => sum(byLayer.slice(at, at + 2)))).toEqual([30, 50, 70]);
    expect(sum(sizes(await keptWith({ keepFraction: 0 })))).toBe(0);
    // 0.333 · 50 keys are 16.65: kvpress drops ⌊300 · 0.667⌋, and a budget of ⌊16.65⌋ a head asks for no more than 96.
    const places = { evictAt: EVICT_AT, answerStart: null };
    const fitted = kvzip.withBudget(resolve({}), context, 0.333, places);
    expect(sum(sizes(await keptWith('parameters' in fitted ? fitted.parameters : {})))).toBe(96);
  });

  it('reads the text a second time once for all budgets', async () => {
    const memo = new Memo();
    const counted = counting();
    const alone = await keptWith({ keepFraction: 0.2 });
    await Promise.all([0.5, 0.7].map((keepFraction) => keptWith({ keepFraction }, memo, counted.text)));
    expect(await keptWith({ keepFraction: 0.2 }, memo, counted.text)).toEqual(alone);
    expect(counted.readings).toBe(1);
    await keptWith({ keepFraction: 0.2, chunkTokens: 20 }, memo, counted.text);
    expect(counted.readings).toBe(2);
    memo.close();
  });

  it('chooses the same whether a passage is read at once or in parts', async () => {
    const inParts = { ...text, rereading: rereadingOf(decoder, reader.caches, text.rereading!, 7) };
    expect(await keptWith({ keepFraction: 0.4 }, undefined, inParts)).toEqual(
      await keptWith({ keepFraction: 0.4 }),
    );
  });

  it('chooses the same in a free run, and leaves no trace of the second reading', async () => {
    const chosen: number[][] = [];
    const reads: Promise<void>[] = [];
    const watched: Method = {
      ...kvzip,
      start(context, parameters) {
        const run = kvzip.start(context, parameters);
        return {
          ...run,
          select(input) {
            const selection = run.select(input);
            if (input.block.start === EVICT_AT)
              reads.push(
                readKept(ops, selection, 2).then(({ sets }) => {
                  chosen.push(...sets.map((set) => [...set]));
                }),
              );
            return selection;
          },
        };
      },
    };
    const { session } = await generate({
      ...{ decoder, method: watched, parameters: resolve({ keepFraction: 0.3 }), calibration: null, ids },
      ...{ layerTraces: text.layerTraces, rereading: text.rereading, answerStart: null },
      ...{ queriesStart: EVICT_AT, keepQueries: false, isAnswerComplete: () => true },
      ...{ signal: new AbortController().signal, onProgress: () => {} },
    });
    await Promise.all(reads);
    session.release();
    expect(chosen).toEqual(await keptWith({ keepFraction: 0.3 }));
  });

  it('loses nothing where everything is kept', async () => {
    const layers = await measureLayers({
      ...{ text, method: kvzip, parameters: resolve({ keepFraction: 1 }) },
      queries: { start: EVICT_AT, end: TOKENS },
    });
    for (const { massRecall, outputError } of layers) {
      expect(massRecall).toBeCloseTo(1, 6);
      expect(outputError).toBeLessThan(1e-5);
    }
  });

  it('says what it lacks', async () => {
    const shape = { tokens: 40, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
    const capture = recordText(ops, shape, randomLayers(shape, 3, 1));
    await expect(startTraceRun(capture, kvzip, resolve({}), 30)).rejects.toThrow(
      'kvzip has the model repeat the text, which takes a model that has read it with full attention; a capture has none, so choose another method or run the model.',
    );
    await expect(keptWith({ repeatIds: [[1, 2]], chunkTokens: 20 })).rejects.toThrow(
      'kvzip: repeatIds needs a row for each of the 3 chunks of the 50 tokens before the eviction, and has 1.',
    );
    await expect(keptWith({ repeatIds: [[1, 4000]] })).rejects.toThrow(
      'Token id 4000 is none of this model’s, which has 128.',
    );
    expect(() => resolve({ repeatIds: [[1, 2.5]] })).toThrow(
      'kvzip: repeatIds must hold whole numbers from 0 to 2147483647 in row 0, not [[1,2.5]].',
    );
  });

  it('ends where it is cancelled, and the next run makes the scores', async () => {
    const memo = new Memo();
    const aborted = AbortSignal.abort(new Error('cancelled'));
    await expect(
      startTraceRun(text, kvzip, resolve({}), EVICT_AT, { memo, signal: aborted }),
    ).rejects.toThrow('cancelled');
    expect(await keptWith({}, memo)).toEqual(await keptWith({}));
    memo.close();
  });
});
