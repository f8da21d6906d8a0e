/** Whole sentences by their mean hidden states, against the fixture's in double precision. */
import { describe, expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { generate } from '../../src/engine/generation';
import { explainRow } from '../../src/measure/explain-row';
import { readKept } from '../../src/measure/selection-reader';
import { contextOf, startTraceRun } from '../../src/measure/trace-run';
import { resolveParameters } from '../../src/methods/parameters';
import { bestSentences, likeness, sentences, sentencesOf } from '../../src/methods/sentences';
import { forward } from '../../src/model/decoder/forward';
import { traceOfSession } from '../../src/trace/from-decoder';
import { tinyDecoder } from '../engine/tiny-model';
import { fixtureTensors } from '../model/files';
import { randomLayers, recordText } from './recorded';

const ops = createCpuOps();
const decoder = await tinyDecoder(ops);
const reference = fixtureTensors('llama-gqa/expected.safetensors');
const ids = Uint32Array.from(reference.int32('input_ids'));
const tokens = ids.length;
const EVICT_AT = 60;
const ANSWER_START = 75;
/** A sentence of five tokens, then of six, and so on in turn. */
const words = Array.from({ length: tokens }, (_, i) => (i % 11 === 4 || i % 11 === 10 ? ' end.' : ' word'));
const textsOf = (some: readonly number[]) => words.slice(0, some.length);
const { reader } = await forward(decoder, ids, { keepStates: 'none', keepHidden: true });
const traceWith = (of: typeof textsOf | null) =>
  traceOfSession(decoder, reader, {
    ...{ tokens, calibration: null, answerStart: ANSWER_START, read: { ids, encode: null, textsOf: of } },
  });
const text = traceWith(textsOf);
const context = contextOf(text);
const resolve = (given: Record<string, unknown>) => resolveParameters(sentences, given, context);

/** What stays in a layer of the tokens before the eviction. */
async function kept(given: Record<string, unknown>, evictAt = EVICT_AT, layer = 0): Promise<number[]> {
  const started = await startTraceRun(text, sentences, resolve(given), evictAt);
  const input = started.inputOf(text.layerTraces[layer]!, { start: evictAt, end: evictAt + 1 });
  const selection = started.run.select(input);
  const { sets, rangeStart } = await readKept(ops, selection);
  started.dispose();
  return rangeStart < evictAt ? Array.from({ length: evictAt }, (_, t) => t) : [...sets[0]!];
}

/** Sentences by descending cosine: what the layer projects from, in double precision. */
function ranked(layer: number, question: { start: number; end: number }, evictAt: number): number[][] {
  const states = reference.float32(`hidden.${layer}`);
  const weight = fixtureTensors('llama-gqa/model.safetensors').float32(
    `model.layers.${layer}.input_layernorm.weight`,
  );
  const width = weight.length;
  const row = (token: number): number[] => {
    const own = Array.from(states.subarray(token * width, (token + 1) * width));
    const root = Math.sqrt(
      own.reduce((sum, x) => sum + x * x, 0) / width + decoder.config.normalization.epsilon,
    );
    return own.map((x, c) => (x / root) * weight[c]!);
  };
  const sum = (of: readonly number[]): number[] =>
    of.map(row).reduce((all, own) => all.map((x, c) => x + own[c]!));
  const range = (start: number, end: number) => Array.from({ length: end - start }, (_, i) => start + i);
  const asked = sum(range(question.start, question.end));
  const cosine = (own: readonly number[]): number =>
    own.reduce((all, x, c) => all + x * asked[c]!, 0) / (Math.hypot(...own) * Math.hypot(...asked));
  const bounds = [0, ...range(1, evictAt).filter((t) => words[t - 1] === ' end.'), evictAt];
  return bounds
    .slice(1)
    .map((end, i) => range(bounds[i]!, end))
    .map((own) => ({ own, score: cosine(sum(own)) }))
    .sort((a, b) => b.score - a.score)
    .map(({ own }) => own);
}

describe('sentences', () => {
  it.each([
    [0.5, 1],
    [0.3, 2],
    [0.2, 0],
  ])('keeps the best until one no longer fits: f = %f, layer %i', async (keepFraction, hiddenLayer) => {
    const wanted: number[] = [];
    for (const sentence of ranked(hiddenLayer, { start: EVICT_AT, end: ANSWER_START }, EVICT_AT)) {
      if (wanted.length + sentence.length > Math.floor(keepFraction * EVICT_AT)) break;
      wanted.push(...sentence);
    }
    expect(wanted.length).toBeGreaterThan(0);
    wanted.sort((a, b) => a - b);
    for (const layer of [0, 2])
      expect(await kept({ keepFraction, hiddenLayer }, EVICT_AT, layer)).toEqual(wanted);
  });

  it('takes the last sentence for the question where none stands after the eviction', async () => {
    // Tokens 66 … 70 end a sentence, and 71 … 74 begin one.
    const [first] = ranked(1, { start: 71, end: ANSWER_START }, ANSWER_START);
    expect(first).toEqual([71, 72, 73, 74]);
    expect(await kept({ keepFraction: 4 / ANSWER_START + 0.001, hiddenLayer: 1 }, ANSWER_START)).toEqual(
      first,
    );
  });

  it('keeps everything, or nothing that fits', async () => {
    expect(await kept({ keepFraction: 1 })).toHaveLength(EVICT_AT);
    expect(await kept({ keepFraction: 0.03 })).toEqual([]);
    expect((await kept({ keepFraction: [0.03, 0.5, 1] }, EVICT_AT, 1)).length).toBeGreaterThan(4);
  });

  it('is explained by its scores, above the cut what stays', async () => {
    const parameters = resolve({ keepFraction: 0.5 });
    const request = { text, method: sentences, parameters, layer: 1, head: 0, query: 80, evictAt: EVICT_AT };
    const { rule, scores, fates } = await explainRow(request);
    expect(rule.kind).toBe('scores');
    const stays = await kept({ keepFraction: 0.5 });
    const least = Math.min(...stays.map((token) => scores![token]!));
    for (let token = 0; token < EVICT_AT; token++)
      expect(scores![token]! >= least, `token ${token}`).toBe(stays.includes(token));
    expect(new Set(stays.map((token) => fates[token])).size).toBe(1);
  });

  it('keeps the same in a free run', async () => {
    const seen = new Map<number, Promise<number[]>>();
    const start: typeof sentences.start = (of, parameters) => {
      const run = sentences.start(of, parameters);
      const select = run.select.bind(run);
      run.select = (input) => {
        const selection = select(input);
        if (input.block.start >= ANSWER_START)
          seen.set(
            input.layer,
            readKept(ops, selection).then(({ sets }) => [...sets[0]!]),
          );
        return selection;
      };
      return run;
    };
    const { session } = await generate({
      ...{ decoder, method: { ...sentences, start }, parameters: resolve({ keepFraction: 0.5 }), ids },
      ...{ calibration: null, layerTraces: text.layerTraces, rereading: text.rereading },
      ...{ answerStart: ANSWER_START, queriesStart: EVICT_AT, keepQueries: false },
      isAnswerComplete: (generated) => generated.length >= 2,
      ...{ signal: new AbortController().signal, onProgress: () => {} },
    });
    session.release();
    for (const layer of [0, 1, 2]) expect(await seen.get(layer)).toEqual(await kept({ keepFraction: 0.5 }));
  });

  it('is refused where there are no words or no hidden states', async () => {
    await expect(startTraceRun(traceWith(null), sentences, resolve({}), EVICT_AT)).rejects.toThrow(
      'sentences needs the words of the text, and this model has no tokenizer; choose another method.',
    );
    const shape = { tokens: 20, queryHeads: 4, keyValueHeads: 2, headDimension: 8 };
    const capture = recordText(ops, shape, randomLayers(shape, 1, 5));
    await expect(startTraceRun(capture, sentences, resolve({}), 10)).rejects.toThrow(
      /^sentences needs the hidden states .* run the model/,
    );
  });
});

it('cuts a text where sentences end', () => {
  const cut = (...texts: string[]) =>
    sentencesOf(texts, texts.length).map(({ start, end }) => texts.slice(start, end).join(''));
  expect(cut('<s>', 'It', ' is', ' 3', '.', '5', ' m', '.', ' Why', '?', '"', ' So', '\n', 'End')).toEqual([
    '<s>It is 3.5 m.',
    ' Why?"',
    ' So\n',
    'End',
  ]);
  expect(cut('One', '.')).toEqual(['One.']);
  expect(sentencesOf(['a', '.', ' b'], 0)).toEqual([]);
});

it('ranks by direction, the earlier one first where directions are the same', () => {
  const rows = Float32Array.from([1, 0, 2, 0, 0, 1, 0, 0, 5, 1]);
  const one = (start: number) => ({ start, end: start + 1 });
  const parts = [0, 1, 2, 3].map(one);
  const scores = likeness(rows, 2, parts, one(4));
  expect(scores[0]).toBeCloseTo(5 / Math.sqrt(26), 6);
  expect(scores[1]).toBe(scores[0]);
  // A row of zeros has no direction.
  expect(scores[3]).toBe(0);
  expect(bestSentences(parts, scores, 1)).toEqual([one(0)]);
  expect(bestSentences(parts, scores, 3)).toEqual([one(0), one(1), one(2)]);
});
