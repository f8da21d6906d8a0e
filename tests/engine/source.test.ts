import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sampleTexts } from '../../samples/texts';
import { isUserError } from '../../src/base/user-error';
import { buildText } from '../../src/engine/source';
import { shownTexts } from '../../src/page/shown-texts';
import { LONGEST_TEXT_TOKENS } from '../../src/study/limits';
import type { QueriesStart, SourceSpec } from '../../src/study/spec';
import { hay, tokenizer } from '../tasks/hay';

const samples = hay.map((text, i) => ({ id: `text-${i}`, title: `Text ${i}`, text }));
const build = (source: SourceSpec, queriesStart: QueriesStart = null, trainedTokens = 1024) =>
  buildText(
    { source, queriesStart, startToken: null },
    tokenizer,
    { trainedTokens, vocabularySize: 2048 },
    samples,
  );
const needle = { kind: 'task', task: 'single-needle', tokens: 256, depth: 0.5, seed: 3 } as const;
const prose = (text: string): SourceSpec => ({ kind: 'text', text });

/** Throws a sentence for people. */
function expectSentence(work: () => unknown, pattern: RegExp): void {
  expect(work).toThrow(pattern);
  try {
    work();
  } catch (error) {
    expect(isUserError(error)).toBe(true);
    expect((error as Error).message).toMatch(/^[^\n]+\.$/);
  }
}

describe('a task', () => {
  test('has its question and answer as queries, and its needle where it says', () => {
    const { ids, facts, answerText } = build(needle);
    expect(ids.length).toBeLessThanOrEqual(256);
    expect(ids[0]).toBe(tokenizer.startToken);
    expect(facts.tokens).toBe(ids.length);
    expect(facts.tokenTexts).toHaveLength(ids.length);
    const question = tokenizer.decode([...ids.subarray(facts.queries.start, facts.answerStart!)]);
    expect(question).toMatch(/What is the secret number of the .*\?/);
    expect(facts.queries.end).toBe(ids.length);
    expect(tokenizer.decode([...ids.subarray(facts.answerStart!)])).toContain(answerText);
    const asked = facts.needles.find(({ asked }) => asked)!;
    expect(tokenizer.decode([...ids.subarray(asked.start, asked.end)])).toContain(asked.value);
    expect(answerText).toContain(asked.value);
    expect(facts.notices).toEqual([]);
  });

  test('has queries from its answer’s value on where methods evict after the question', () => {
    const { facts, ids, placesAt } = build(needle, 'answer');
    // The space before the number is a token of its own: the answer begins with it, and it is evicted behind it.
    const answerStart = build(needle).facts.answerStart!;
    expect(tokenizer.decode([...ids.subarray(answerStart, answerStart + 1)])).toBe(' ');
    expect(facts.answerStart).toBe(answerStart);
    expect(tokenizer.decode([...ids.subarray(facts.queries.start)])).toMatch(/^[0-9]/);
    expect(facts.queries).toEqual({ start: answerStart + 1, end: ids.length });
    // Every text knows both places, wherever its own queries begin.
    expect(placesAt('answer')).toEqual({ evictAt: answerStart + 1, answerStart });
    expect(build(needle).placesAt('answer')).toEqual(placesAt('answer'));
    expect(placesAt(null)).toEqual({ evictAt: build(needle).facts.queries.start, answerStart });
    // A text without an answer has none to begin with.
    expect(build(prose('word '.repeat(80)), 'answer').facts.queries).toEqual(
      build(prose('word '.repeat(80))).facts.queries,
    );
  });

  test('judges an answer by what was hidden', () => {
    const text = build(needle);
    const right = [...text.ids.subarray(text.facts.answerStart!)];
    expect(text.judge(right)).toMatchObject({ right: true });
    expect(text.judge(right).text).toContain(text.answerText?.trim());
    expect(text.judge(right.slice(0, 1)).right).toBe(false);
    expect(text.judge([]).right).toBe(false);
    expect(text.judge(tokenizer.encode(' 00000.')).right).toBe(false);
    expect(text.isAnswerComplete(right)).toBe(true);
    expect(text.isAnswerComplete([])).toBe(false);
    expect(text.isAnswerComplete(right.slice(0, 1))).toBe(false);
  });

  test('of which there is none, or that is too long or too short, is refused', () => {
    expectSentence(() => build({ ...needle, task: 'two-needles' }), /no task "two-needles"/);
    expectSentence(() => build({ ...needle, tokens: LONGEST_TEXT_TOKENS + 1 }), /at most 32768/);
    expectSentence(() => build({ ...needle, tokens: 12 }), /12 tokens are too few/);
  });

  test('past the trained length has a notice', () => {
    const { facts } = build(needle, null, 100);
    expect(facts.notices).toHaveLength(1);
    expect(facts.notices[0]).toMatch(new RegExp(`has ${facts.tokens} tokens and .* trained on 100`));
    expect(build(needle, null, facts.tokens).facts.notices).toEqual([]);
  });
});

describe('a text', () => {
  const words = 'The harbour was quiet in the morning, and the boats lay still.';

  test('begins with the beginning token; its last eighth are the queries', () => {
    const text = build(prose(words));
    expect([...text.ids]).toEqual([tokenizer.startToken, ...tokenizer.encode(words)]);
    const tokens = text.ids.length;
    expect(text.facts.queries).toEqual({ start: tokens - Math.ceil(tokens / 8), end: tokens });
    expect(text.facts).toMatchObject({ tokens, answerStart: null, needles: [] });
    expect(text.answerText).toBeNull();
  });

  test('has no right answer', () => {
    const text = build(prose(words));
    expect(text.judge(tokenizer.encode(' quiet'))).toEqual({
      text: expect.stringContaining('quiet'),
      right: false,
    });
  });

  test('of a single character is a text', () => {
    const { facts } = build(prose('a'));
    expect(facts.tokens).toBe(2);
    expect(facts.queries).toEqual({ start: 1, end: 2 });
  });

  test('that is empty or too long is refused', () => {
    expectSentence(() => build(prose('')), /The text is empty/);
    expectSentence(() => build(prose(' \n\t ')), /The text is empty/);
    const line = 'The harbour was quiet in the morning. ';
    const most = build(prose(line.repeat(2))).ids.length;
    const long = line.repeat((3 * LONGEST_TEXT_TOKENS) / most);
    expectSentence(() => build(prose(long)), /has \d+ tokens; use at most 32768/);
  });
});

describe('a sample', () => {
  test('is read whole, or as far as asked', () => {
    const whole = build({ kind: 'sample', sample: 'text-0', tokens: null });
    expect(whole.ids.length).toBe(tokenizer.encodeText(hay[0]!).length);
    const part = build({ kind: 'sample', sample: 'text-0', tokens: 100 });
    expect([...part.ids]).toEqual([...whole.ids.subarray(0, 100)]);
    expect(part.facts.queries).toEqual({ start: 87, end: 100 });
    const all = build({ kind: 'sample', sample: 'text-0', tokens: 30_000 });
    expect(all.ids.length).toBe(whole.ids.length);
  });

  test('of which there is none is refused, and so is none of its tokens', () => {
    expectSentence(
      () => build({ kind: 'sample', sample: 'novel', tokens: null }),
      /no sample text "novel"; choose one of text-0, text-1/,
    );
    expectSentence(
      () => build({ kind: 'sample', sample: 'text-0', tokens: 0 }),
      /at least 1 of its tokens, not 0/,
    );
  });
});

describe('queries', () => {
  const sample = { kind: 'sample', sample: 'text-0', tokens: 64 } as const;

  test('start where they are told to', () => {
    expect(build(sample, 0).facts.queries).toEqual({ start: 0, end: 64 });
    expect(build(sample, 63).facts.queries).toEqual({ start: 63, end: 64 });
    expect(build(needle, 10).facts.queries.start).toBe(10);
    expect(build(needle, 10).facts.answerStart).toBe(build(needle).facts.answerStart);
  });

  test.each([64, -1, 1.5, Number.NaN])('cannot start at %s', (start) => {
    expectSentence(() => build(sample, start), /queries must start at a token from 0 to 63, not at/);
  });
});

test('a part of a character is named by its bytes, and joined texts are the text all the same', () => {
  const { facts } = build(prose('a ✨'));
  expect(facts.tokenTexts.slice(1).join('')).toBe('a ✨');
  const names = Object.values(facts.partNames ?? {});
  expect(names.join('')).toMatch(/^‹e2( 9c)?›/);
  const empty = facts.tokenTexts.flatMap((text, i) => (text === '' ? [i] : []));
  expect(Object.keys(facts.partNames ?? {}).map(Number)).toEqual(empty);
  expect(shownTexts(facts).every((text) => text !== '')).toBe(true);
});

test('the bundled study has the tokens that it was recorded with', () => {
  const { spec, text } = JSON.parse(readFileSync('samples/studies/default.json', 'utf8'));
  const named = sampleTexts.map(({ id }, i) => ({ ...samples[i]!, id }));
  const { facts } = buildText(
    { ...spec, startToken: null },
    tokenizer,
    { trainedTokens: 1024, vocabularySize: 2048 },
    named,
  );
  expect(facts.tokenTexts).toEqual(text.tokenTexts);
});
