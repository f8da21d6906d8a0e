import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it, test } from 'vitest';
import { openCommandLine } from './keyhole';

const { path, write, succeed, fail, read, keyhole } = openCommandLine();
const SEA =
  'The sea was quiet that morning, and nobody on the shore had slept. A boy carried water up the hill. ';
const example = (name: string, number: string, more = {}) => ({
  context: `${SEA}The secret number of the ${name} is ${number}. ${SEA}`,
  question: `What is the secret number of the ${name}?`,
  answer: number,
  ...more,
});
const written = [
  example('silver lamp', '48213', { id: 'lamp' }),
  example('red door', '70952', { answer: ['nothing like it', '70952'] }),
];
const file = write('qa.jsonl', `${written.map((line) => JSON.stringify(line)).join('\n\n')}\n`);
const methods = ['--methods', '["full",{"id":"streaming-llm","parameters":{"keepFraction":0.1}}]'];
const command = ['evaluate', '--examples', file, ...methods, '--backend', 'cpu'];
const model = ['--model', 'samples/model'];

it('answers each example, says what was written, goes on and merges', async () => {
  const { stdout } = await succeed('whole.json', ...command, ...model);
  expect(stdout).toMatch(/^qa\.jsonl full: 100\.0 % \[.*\] of 2, [\d.]+ nats$/m);
  const whole = JSON.parse(read('whole.json'));
  expect(whole).toMatchObject({ firstSeed: 0, examples: { file: 'qa.jsonl', count: 2 } });
  const [full, window] = whole.cells;
  expect(full).toMatchObject({ task: 'qa.jsonl', tokens: 0, right: '11', seeds: 2 });
  expect(full.examples.map(({ id, right }: { id: string; right: boolean }) => [id, right])).toEqual([
    ['lamp', true],
    ['3', true],
  ]);
  expect(full.examples[0].answer).toMatch(/^ 48213/);
  expect(full.examples[0].tokens).toBeGreaterThan(60);
  expect(full.means.digitShare).toBeUndefined();
  expect(window.right).toMatch(/0/);

  const shards = ['1/2', '2/2'].map((shard) => ({ shard, name: `shard-${shard[0]}.json` }));
  for (const { shard, name } of shards) await succeed(name, ...command, ...model, '--shard', shard);
  await succeed('merged.json', 'evaluate', 'merge', ...shards.map(({ name }) => path(name)));
  expect(read('merged.json')).toBe(read('whole.json'));

  // What is there is not answered again; other texts are refused.
  const before = read('whole.json');
  await succeed('whole.json', ...command, ...model);
  expect(read('whole.json')).toBe(before);
  const other = write('other.jsonl', JSON.stringify(written[0]));
  const again = ['evaluate', '--examples', other, ...methods, ...model, '--out', path('whole.json')];
  await fail(/whole\.json is of other texts than these; name another file/, ...again);
});

it('makes messages of examples, and does not go on with others', async () => {
  const folder = path('chatting');
  mkdirSync(folder);
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'])
    symlinkSync(resolve('samples/model', name), `${folder}/${name}`);
  writeFileSync(`${folder}/chat_template.jinja`, '{{ bos_token }}{{ messages[0].content }}\nAnswer: ');
  const one = [
    'evaluate',
    '--examples',
    write('one.jsonl', JSON.stringify(written[0])),
    '--methods',
    '["full"]',
  ];
  await succeed('chat.json', ...one, '--model', folder, '--chat-template');
  const chat = JSON.parse(read('chat.json'));
  expect(chat.chatTemplate).toBe(true);
  expect(chat.cells[0].right).toBe('1');
  copyFileSync(path('chat.json'), path('plain.json'));
  await fail(
    /plain\.json is of texts with --chat-template; name another file/,
    ...one,
    ...['--model', folder, '--out', path('plain.json')],
  );
});

test('lines that are no examples are named by their number', async () => {
  const lines = [
    JSON.stringify(written[0]),
    '{"context": "a", ',
    '{"context": "a", "answer": "b"}',
    '{"context": " ", "question": "a?", "answer": "b"}',
    '{"context": "a", "question": "a?", "answer": []}',
    JSON.stringify(written[0]),
    '5',
    '[]',
  ];
  const bad = write('bad.jsonl', lines.join('\n'));
  const args = ['evaluate', '--examples', bad, ...methods, ...model, '--out', path('none.json')];
  await fail(
    /bad\.jsonl has lines that are no examples: 2 \(no JSON\), 3 \("question" is no text\), 4 \("context" is no text\), 5 \("answer" is neither a text nor a list of texts\), 6 \(its id "lamp" is that of line 1\) and 2 more; each is a JSON object with "context", "question" and "answer"\.$/m,
    ...args,
  );
  const long = write('long.jsonl', JSON.stringify({ ...written[0], answer: 'word '.repeat(80) }));
  const { stderr } = await keyhole(
    'evaluate',
    '--examples',
    long,
    ...methods,
    ...model,
    '--out',
    path('l.json'),
  );
  expect(stderr).toMatch(/^Line 1 of the examples: The expected answer has \d+ tokens and at most 64/);
  const both = [...args.slice(0, 1), '--examples', file, '--seeds', '3', ...args.slice(3)];
  await fail(/^--examples names the texts, so --seeds has nothing to say/, ...both);
  await fail(
    /has no examples; put one on each line/,
    ...['evaluate', '--examples', write('no.jsonl', '\n')],
    ...args.slice(3),
  );
});
