import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { isUserError } from '../../src/base/user-error';
import { openChatTemplate, readChatTemplate } from '../../src/model/tokenizer/chat-template';
import { loadTokenizer } from '../../src/model/tokenizer/tokenizer';

interface Case {
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly file: string | null;
  readonly rendered: readonly string[];
  readonly ids: readonly (readonly number[])[];
}
const fixture: { messages: readonly string[]; tokenizer: unknown; cases: readonly Case[] } = JSON.parse(
  readFileSync('tests/fixtures/chat-templates.json', 'utf8'),
);

describe.each(fixture.cases)('the template of $name', ({ config, file, rendered, ids }) => {
  it('gives the text and the ids of transformers', async () => {
    const tokenizer = loadTokenizer(fixture.tokenizer, config);
    const template = await openChatTemplate(readChatTemplate(config, file));
    for (const [i, asked] of fixture.messages.entries()) {
      const { before, message, after } = template.frame(asked);
      expect(before + message + after).toBe(rendered[i]);
      expect(message.trim()).toBe(asked.trim());
      expect(tokenizer.encode(before + message + after)).toEqual(ids[i]);
    }
  });
});

const open = (template: unknown, more = {}) =>
  openChatTemplate(readChatTemplate({ chat_template: template, ...more }, null));
const WRAP = '{{ messages[0].content }}';

test('a template that no file has, or that is no text, is none', async () => {
  for (const config of [{}, null, { chat_template: 5 }, { chat_template: [{ name: 'rag', template: WRAP }] }])
    expect(readChatTemplate(config, null)).toBeNull();
  await expect(open(null)).rejects.toThrow(/^This model has no chat template/);
});

test('today is the same day for ever', async () => {
  const { frame } = await open(`{{ strftime_now("%d %B %Y, %A %%") }} ${WRAP}`);
  expect(frame('a').before).toBe('26 July 2024, Friday % ');
});

const hostile: readonly [string, string, RegExp][] = [
  [
    'counts for ever',
    `{% for i in range(1000000000000) %}${WRAP}{% endfor %}`,
    /has no end, or makes far more/,
  ],
  [
    'loops in loops',
    `{% for i in range(9999) %}{% for j in range(9999) %}{% set k = j %}{% endfor %}{% endfor %}${WRAP}`,
    /has no end/,
  ],
  [
    'doubles a text',
    `{% set ns = namespace(t="aaaaaaaaaa") %}{% for i in range(60) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}${WRAP}`,
    /has no end/,
  ],
  [
    'copies for ever',
    `{% set a = range(30000) %}{% for i in a %}{% set b = a[:] %}{% endfor %}${WRAP}`,
    /has no end/,
  ],
  ['calls itself', `{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}${WRAP}`, /cannot be followed|has no end/],
  ['is no template', '{% if %}', /^The chat template of this model cannot be followed: "/],
  ['is nested too deep', `{{ ${'('.repeat(20_000)}1${')'.repeat(20_000)} }}`, /cannot be followed/],
  ['is very long', 'a'.repeat(200_001), /has 200001 characters, more than 200000/],
  ['refuses', '{{ raise_exception("No \u202euser") }}', /refuses the message: "No \\u\{202e\}user"; read/],
  ['leaves words out', '{{ messages[0].content[:4] }}', /does not leave the words of a message as they are/],
  ['changes words', '{{ messages[0].content | upper }}', /does not leave the words/],
  ['forgets the message', 'Hello', /does not leave the words/],
  ['adds what is not there', `{{ nothing + 'a' }}${WRAP}`, /cannot be followed/],
];

test.each(hostile)('a template that %s ends in a sentence', async (_, template, sentence) => {
  const started = performance.now();
  const run = (async () => (await open(template)).frame('A message of some words.'))();
  await expect(run).rejects.toSatisfy((error) => isUserError(error));
  await expect(run).rejects.toThrow(sentence);
  await expect(run).rejects.toThrow(/^[^\n]+\.$/);
  expect(performance.now() - started).toBeLessThan(5000);
});
