import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { buildText } from '../../src/engine/source';
import { openChatTemplate, readChatTemplate } from '../../src/model/tokenizer/chat-template';
import { loadTokenizer } from '../../src/model/tokenizer/tokenizer';
import type { SourceSpec } from '../../src/study/spec';
import { containsAnswer, hasEndedLine } from '../../src/tasks/answer';

interface Case {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly file: string | null;
}
const { tokenizer: made, cases }: { tokenizer: unknown; cases: readonly Case[] } = JSON.parse(
  readFileSync('tests/fixtures/chat-templates.json', 'utf8'),
);
const config = { trainedTokens: 8192, vocabularySize: 1000 };
const PROSE =
  'The boat lay in the harbour. Nobody had seen it for a year. It rained, and the crew stayed on land. ';
const samples = [{ id: 'boat', title: 'Boat', text: PROSE.repeat(4).trim() }];

describe.each(cases)('in the form of $name', ({ config: settings, file }) => {
  const tokenizer = loadTokenizer(made, settings);
  const build = async (source: SourceSpec, isChat = true, queriesStart: number | 'answer' | null = null) => {
    const chat = isChat ? await openChatTemplate(readChatTemplate(settings, file)) : null;
    return {
      chat,
      ...buildText({ source, queriesStart, startToken: null }, tokenizer, config, samples, { chat }),
    };
  };
  const decode = (ids: Uint32Array, start = 0, end = ids.length): string =>
    tokenizer.tokenTexts([...ids.subarray(start, end)]).join('');

  it.each(['single-needle', 'four-needles', 'key-value', 'stars'])(
    '%s is a message, its places where they belong',
    async (task) => {
      const source = { kind: 'task', task, tokens: 1200, depth: 'spread', seed: 3 } as const;
      const { ids, facts, answerText, chat } = await build(source);
      expect(ids.length).toBeLessThanOrEqual(1200);
      expect(ids.length).toBeGreaterThan(1000);
      const { start } = facts.queries;
      const question = decode(ids, start, facts.answerStart!);
      const { after } = chat!.frame('x');
      expect(question).toMatch(/^\n\nQuestion: [^\n]+\?/);
      expect(question.endsWith(`?${after}`)).toBe(true);
      expect(decode(ids, facts.answerStart!)).toBe(answerText);
      expect(answerText).toMatch(/^\d[\d, ]*\.$/);
      for (const { start: from, end, value } of facts.needles) {
        expect(decode(ids, from, end)).toMatch(/^ [A-Z].*\.$/);
        expect(decode(ids, from, end)).toContain(value);
      }
      const { before } = chat!.frame('x');
      const message = decode(ids, 0, facts.answerStart!).slice(before.length, -after.length);
      expect(chat!.frame(message).before + message + after).toBe(decode(ids, 0, facts.answerStart!));
      expect((await build(source, true, 'answer')).facts.queries.start).toBe(facts.answerStart);
    },
  );

  it('a text of one’s own is asked about, in a chat and without', async () => {
    const expected = ['the crew', 'a crew'];
    const source = { kind: 'text', text: PROSE, question: 'Who stayed on land?', expected } as const;
    const [asked, plain] = [await build(source), await build(source, false)];
    expect(decode(plain.ids)).toBe(`<s>${PROSE}\n\nQuestion: Who stayed on land?\nAnswer: the crew`);
    expect(decode(plain.ids, plain.facts.queries.start)).toMatch(/^\n\nQuestion: /);
    expect(plain.answerText).toBe(' the crew');
    expect(decode(asked.ids, asked.facts.answerStart!)).toBe('the crew');
    expect(decode(asked.ids, asked.facts.queries.start)).toMatch(
      /^\n\nQuestion: Who stayed on land\?[^\n]*[<[]/,
    );
    expect(asked.isContinued).toBe(false);
    const [right, wrong] = ['It was  A\ncrew of ten', 'the cook'].map((text) => tokenizer.encode(text));
    expect([asked.judge(right!).right, asked.judge(wrong!).right]).toEqual([true, false]);
    expect(plain.isAnswerComplete(tokenizer.encode('\n the cook. And'))).toBe(false);
    expect(plain.isAnswerComplete(tokenizer.encode(' the cook\n'))).toBe(true);
    expect(asked.isAnswerComplete(tokenizer.encode('the cook\n'))).toBe(false);
  });

  it('a text without a question is the message, and goes on', async () => {
    const own = await build({ kind: 'text', text: ` ${PROSE}` });
    expect(own.chat!.frame(` ${PROSE}`)).toMatchObject({ before: expect.any(String) });
    const { before, message, after } = own.chat!.frame(` ${PROSE}`);
    expect(decode(own.ids)).toBe(before + message + after);
    expect(own.isContinued).toBe(true);
    const whole = (await build({ kind: 'sample', sample: 'boat', tokens: null })).ids.length;
    const part = await build({ kind: 'sample', sample: 'boat', tokens: whole - 5 });
    expect(part.ids.length).toBe(whole - 5);
    expect(decode(part.ids).endsWith(after)).toBe(true);
    await expect(build({ kind: 'sample', sample: 'boat', tokens: 3 })).rejects.toThrow(
      /^The chat template takes \d+ tokens, which leaves none of 3 for the text; read more tokens\.$/,
    );
  });
});

test('an answer without a question of its own is asked by the text', () => {
  const tokenizer = loadTokenizer(made);
  const source = { kind: 'text', text: 'Who? I:', expected: ['me'] } as const;
  const { facts, ids } = buildText(
    { source, queriesStart: null, startToken: null },
    tokenizer,
    config,
    samples,
  );
  expect(tokenizer.decode([...ids])).toBe('<s>Who? I: me');
  expect(facts.queries.start).toBe(facts.answerStart! - 1);
});

test.each([
  [{ question: ' ' }, /^The question is empty; /],
  [{ expected: ['a', ''] }, /^An expected answer is empty; /],
  [{ expected: ['word '.repeat(100)] }, /^The expected answer has \d+ tokens and at most 64 are written; /],
])('%j is refused', (more, sentence) => {
  const source = { kind: 'text', text: 'Some words.', ...more } as const;
  const spec = { source, queriesStart: null, startToken: null };
  expect(() => buildText(spec, loadTokenizer(made), config, samples)).toThrow(sentence);
});

test('an answer is contained whatever its case and white space', () => {
  expect(containsAnswer('It is\n NEW  York.', ['new york'])).toBe(true);
  expect(containsAnswer('It is York.', ['new york', 'york.'])).toBe(true);
  expect(containsAnswer('', ['a'])).toBe(false);
  expect([' \n\n', ' a', ' a\n'].map(hasEndedLine)).toEqual([false, false, true]);
});
