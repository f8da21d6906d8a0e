import { describe, expect, it } from 'vitest';
import { generateTask, isAnswerRight, type TaskRequest, taskList } from '../../src/tasks/index';
import { hay, taskTokenizer, tokenizer } from './hay';

const request = (change: Partial<TaskRequest> = {}): TaskRequest => ({
  task: 'four-needles',
  tokens: 1024,
  seed: 7,
  depth: 'spread',
  hay,
  tokenizer: taskTokenizer,
  ...change,
});

/** Tokens that a task may fall short of the length asked for. */
const LARGEST_SHORTFALL = 24;

describe.each(taskList)('$id', ({ id, smallestTokens }) => {
  const lengths = [smallestTokens, 384, 1024, 4096];

  it.each(lengths)('fills %i tokens with one text whose encoding is its ids', (tokens) => {
    for (let seed = 0; seed < 12; seed++) {
      const instance = generateTask(request({ task: id, tokens, seed }));
      expect(instance.ids).toEqual(tokenizer.encodeText(instance.text));
      expect(instance.ids.length).toBeLessThanOrEqual(tokens);
      expect(instance.ids.length).toBeGreaterThan(tokens - LARGEST_SHORTFALL);
      expect(instance.text).toBe(instance.promptText + instance.answerText);
    }
  });

  it('cuts question and answer at tokens', () => {
    for (let seed = 0; seed < 12; seed++) {
      const { ids, questionStart, answerStart, promptText, answerText } = generateTask(
        request({ task: id, seed }),
      );
      expect(tokenizer.encodeText(promptText)).toEqual(ids.slice(0, answerStart));
      expect(tokenizer.decode(ids.slice(answerStart))).toBe(answerText);
      expect(tokenizer.decode(ids.slice(questionStart, answerStart))).toMatch(
        /^\n\nQuestion: .+\?\nAnswer:$/,
      );
      expect(answerText).toMatch(/^ \d+(, \d+)*\.$/);
    }
  });

  it('gives each needle the tokens of its sentence, and nothing more', () => {
    for (let seed = 0; seed < 12; seed++) {
      const { ids, needles, questionStart } = generateTask(request({ task: id, seed }));
      let end = 1;
      for (const needle of needles) {
        const sentence = tokenizer.decode(ids.slice(needle.start, needle.end));
        expect(sentence).toMatch(/^ [A-Z][^.]*\.$/);
        expect(sentence).toContain(needle.value);
        expect(needle.start).toBeGreaterThanOrEqual(end);
        end = needle.end;
      }
      expect(end).toBeLessThanOrEqual(questionStart);
    }
  });

  it('asks for values that stand in the needles asked for', () => {
    for (let seed = 0; seed < 12; seed++) {
      const instance = generateTask(request({ task: id, seed }));
      const asked = instance.needles.filter((needle) => needle.asked).map((needle) => needle.value);
      const answered = instance.answerText.match(/\d+/g)!;
      expect([...answered].sort()).toEqual([...asked].sort());
      expect(isAnswerRight(instance.answerText, instance)).toBe(true);
    }
  });

  it('gives the same instance for the same request, and another for another seed', () => {
    const first = generateTask(request({ task: id }));
    expect(generateTask(request({ task: id }))).toEqual(first);
    expect(generateTask(request({ task: id, seed: 8 })).answerText).not.toBe(first.answerText);
  });

  it('puts the needles asked for at the depth asked for', () => {
    for (const depth of [0, 0.25, 0.5, 0.75, 1]) {
      const { needles, questionStart } = generateTask(request({ task: id, depth, tokens: 2048 }));
      const places = needles.filter((needle) => needle.asked).map((needle) => needle.start / questionStart);
      const middle = places.reduce((sum, place) => sum + place, 0) / places.length;
      // The other needles and the group itself take room: a tenth of the text at most.
      expect(Math.abs(middle - depth)).toBeLessThan(0.13);
    }
  });
});

it('spreads four needles over the four quarters of the text', () => {
  for (let seed = 0; seed < 12; seed++) {
    const { needles, questionStart } = generateTask(request({ tokens: 4096, seed }));
    needles.forEach((needle, quarter) => {
      expect(needle.start / questionStart).toBeGreaterThan(quarter / 4 - 0.03);
      expect(needle.start / questionStart).toBeLessThan((quarter + 1) / 4 + 0.03);
    });
  }
});

it('takes another stretch of the hay for another seed, and cycles it where it is too short', () => {
  const begins = new Set(
    Array.from({ length: 20 }, (_, seed) => generateTask(request({ seed })).text.slice(0, 40)),
  );
  expect(begins.size).toBeGreaterThan(12);
  const little = ['The rain fell all night. In the morning it was dry. Nobody was sorry.'];
  const { ids } = generateTask(request({ hay: little, tokens: 1024 }));
  expect(ids.length).toBeGreaterThan(1024 - LARGEST_SHORTFALL);
});

it('works with a tokenizer that joins across sentence ends and has no start token', () => {
  // Pairs of characters: where a pair begins depends on everything before it.
  const pairs = {
    startIds: [],
    encode: (text: string) =>
      Array.from({ length: Math.ceil(text.length / 2) }, (_, i) => text.charCodeAt(2 * i)),
  };
  const instance = generateTask(request({ tokenizer: pairs, tokens: 2048 }));
  expect(instance.ids).toEqual(pairs.encode(instance.text));
  expect(instance.ids.length).toBeLessThanOrEqual(2048);
  for (const needle of instance.needles) {
    expect(instance.text.slice(2 * needle.start - 1, 2 * needle.end + 1)).toContain(needle.value);
  }
});
