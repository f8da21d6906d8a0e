import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it, test } from 'vitest';
import { CAPTURE_FIXTURE, openCommandLine } from './keyhole';

const { path, write, succeed, fail, tensors, read } = openCommandLine();
const backend = ['--backend', 'cpu'];
const text = write('text.txt', 'The red lamp has the number 12345. The sea was quiet.');

/** The bundled model with a chat template beside it. */
const folder = path('chatting');
mkdirSync(folder);
for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
  symlinkSync(resolve('samples/model', file), `${folder}/${file}`);
writeFileSync(
  `${folder}/chat_template.jinja`,
  "{{ bos_token }}User: {{ messages[0]['content'] | trim }}\n{% if add_generation_prompt %}Friend:\n{% endif %}\n",
);

const idsOf = async (model: string, ...args: string[]) => {
  await succeed(
    'out.safetensors',
    'forward',
    '--model',
    model,
    '--text',
    text,
    '--last',
    '--layers',
    '0',
    ...args,
    ...backend,
  );
  const file = tensors('out.safetensors');
  return { texts: JSON.parse(file.metadata.tokens!) as string[], answer: file.metadata.answer_start };
};

it('puts a question and an answer behind a text, and says where the answer begins', async () => {
  const { texts, answer } = await idsOf(
    'samples/model',
    '--question',
    'What is the number?',
    '--expect',
    '12345',
  );
  expect(texts.join('')).toBe(
    '<s>The red lamp has the number 12345. The sea was quiet.\n\nQuestion: What is the number?\nAnswer: 12345',
  );
  expect(texts.slice(Number(answer)).join('')).toBe(' 12345');
});

it('makes a message of it with the chat template, whose tokens are special', async () => {
  const asked = ['--chat-template', '--question', 'What is the number?', '--expect', '12345'];
  const { texts, answer } = await idsOf(folder, ...asked);
  expect(texts.join('')).toBe(
    '<s>User: The red lamp has the number 12345. The sea was quiet.\n\nQuestion: What is the number?\nFriend:\n12345',
  );
  expect(texts[0]).toBe('<s>');
  expect(texts.slice(Number(answer)).join('')).toBe('12345');
});

it('measures from the question on, and says in the head what was read', async () => {
  const asked = ['--chat-template', '--question', 'What is the number?', '--expect', '12345'];
  const source = ['--model', folder, '--text', text, ...backend];
  await succeed(
    'sweep.json',
    'sweep',
    ...source,
    ...asked,
    '--methods',
    'knorm',
    '--keep',
    '0.5',
    '--layers',
    '0',
  );
  const sweep = JSON.parse(read('sweep.json'));
  expect(sweep).toMatchObject({ chatTemplate: true, question: 'What is the number?', expected: '12345' });
  const { texts } = await idsOf(folder, ...asked);
  expect(texts.slice(sweep.queries.start).join('')).toMatch(/^\n\nQuestion: What/);
  await succeed('kept.safetensors', 'select', ...source, ...asked, '--method', 'knorm', '--layers', '0');
  expect(tensors('kept.safetensors').metadata).toMatchObject({ chat_template: 'true', expected: '12345' });
});

const out = ['--out', path('none.safetensors')];
const model = ['--model', 'samples/model'];
test.each<[string, RegExp, string[]]>([
  [
    'no template',
    /^This model has no chat template \(chat_template in/,
    [...model, '--text', text, '--chat-template'],
  ],
  [
    'ids',
    /^--question is about a text; with token ids, leave it out\.$/m,
    [...model, '--ids-file', text, '--question', 'a?'],
  ],
  [
    'two answers',
    /^--expect puts an answer behind the text and --answer/,
    [...model, '--text', text, '--expect', 'a', '--answer', '3'],
  ],
  [
    'a start token',
    /^A chat template writes the start token itself/,
    ['--model', folder, '--text', text, '--chat-template', '--start-token'],
  ],
  ['an empty question', /^The question is empty; /, [...model, '--text', text, '--question', ' ']],
  [
    'a capture',
    /^--expect is about a text; with a capture, leave it out\.$/m,
    ['--capture', CAPTURE_FIXTURE, '--expect', 'a'],
  ],
])('%s', async (name, sentence, args) => {
  const verb = name === 'a capture' ? ['select', '--method', 'full'] : ['forward'];
  await fail(sentence, ...verb, ...args, ...backend, ...out);
});
