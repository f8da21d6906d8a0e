import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { wilsonInterval } from '../../src/measure/wilson';
import { openCommandLine } from './keyhole';

const { path, succeed, fail, read, write } = openCommandLine();
const small = { initTokens: 4, localTokens: 32, chunkTokens: 32, selectedTokens: 16 };
const methods = JSON.stringify(['full', { id: 'esa', label: 'ESA, small', parameters: small }]);
const evaluate = ['evaluate', '--backend', 'cpu', '--model', 'samples/model', '--tasks', 'single-needle'];
const options = [...evaluate, '--tokens', '160', '--methods', methods];

it('counts what is right, and goes on where an earlier run ended', async () => {
  const [{ stdout }] = await Promise.all([
    succeed('whole.json', ...options, '--seeds', '2'),
    succeed('apart.json', ...options, '--seeds', '1'),
    succeed('second.json', ...options, '--seeds', '1', '--first-seed', '1'),
  ]);
  const first = JSON.parse(read('apart.json'));
  expect(first.cells.map(({ seeds }: { seeds: number }) => seeds)).toEqual([1, 1]);
  await succeed('apart.json', ...options, '--seeds', '2');
  const [apart, whole] = [JSON.parse(read('apart.json')), JSON.parse(read('whole.json'))];
  expect(apart).toEqual(whole);
  expect(whole).toMatchObject({ model: 'model', backend: 'cpu', firstSeed: 0 });
  expect(whole.modelDigest).toMatch(/^[0-9a-f]{16,}$/);

  expect(whole.cells).toMatchObject([
    { task: 'single-needle', tokens: 160, label: 'full', id: 'full', parameters: {}, seeds: 2 },
    { task: 'single-needle', tokens: 160, label: 'ESA, small', id: 'esa', parameters: small, seeds: 2 },
  ]);
  for (const cell of whole.cells) {
    expect(cell.right).toMatch(/^[01]{2}$/);
    const hits = [...cell.right].filter((mark: string) => mark === '1').length;
    const { low, high } = wilsonInterval(hits, 2);
    expect(cell).toMatchObject({ accuracy: hits / 2, interval95: [low, high] });
    expect(cell.lossNats).toBeCloseTo(cell.lossSumNats / 2, 12);
    expect(
      cell.right.startsWith(first.cells.find(({ label }: typeof cell) => label === cell.label).right),
    ).toBe(true);
  }
  // Each seed is a text of its own, the same whichever run reads it.
  const second = JSON.parse(read('second.json'));
  for (const [i, cell] of whole.cells.entries()) {
    const [a, b] = [first.cells[i].lossSumNats, second.cells[i].lossSumNats];
    expect(a).not.toBe(b);
    expect(cell.lossSumNats).toBeCloseTo(a + b, 12);
  }
  // The model was trained on this task; a wrong prompt, answer or judge would show here.
  expect(whole.cells[0]).toMatchObject({ right: '11' });
  expect(whole.cells[0].lossNats).toBeLessThan(0.1);
  expect(whole.cells[1].lossNats).not.toBe(whole.cells[0].lossNats);
  expect(stdout.split('\n').filter(Boolean)).toHaveLength(2);
  expect(stdout).toContain('single-needle 160 full: 100.0 % [');
});

it('gives the same file when several processes share the cells', async () => {
  await succeed('shared.json', ...options, '--seeds', '2', '--processes', '2');
  expect(JSON.parse(read('shared.json'))).toEqual(JSON.parse(read('whole.json')));
  expect(() => read('shared.json.part0')).toThrow();
  // It goes on from what is there, and says in one sentence what goes wrong in a process.
  write('shared-more.json', read('apart.json'));
  await succeed('shared-more.json', ...options, '--seeds', '2', '--processes', '2');
  expect(JSON.parse(read('shared-more.json'))).toEqual(JSON.parse(read('whole.json')));
});

it('counts what an interrupted process left, seed by seed, and answers only what is missing', async () => {
  const { cells: whole, ...head } = JSON.parse(read('whole.json'));
  const left = (label: string, seed: number, lossNats: number) => {
    return { task: 'single-needle', tokens: 160, label, seed, isRight: false, lossNats };
  };
  // The second seed of one method is there and marked, its first is not; the other method's first is there twice over.
  const answers = [left('full', 1, 70), left('ESA, small', 0, 5)];
  const parts = [0, 1].map((i) => write(`left.json.part${i}`, JSON.stringify({ ...head, answers })));
  await succeed('left.json', ...options, '--seeds', '2', '--processes', '2');
  const { cells } = JSON.parse(read('left.json'));
  const first = JSON.parse(read('apart.json')).cells[0];
  const [full, esa] = cells;
  expect(full).toMatchObject({ right: '10', seeds: 2, accuracy: 0.5 });
  expect(full.lossSumNats - 70).toBeGreaterThan(0);
  expect(full.lossSumNats - 70).toBeLessThan(first.lossSumNats);
  expect(esa.right).toBe(`0${whole[1].right[1]}`);
  expect(esa.lossSumNats).toBeGreaterThan(5);
  for (const part of parts) expect(existsSync(part)).toBe(false);
  // What is of another model is refused, and nothing of it counted.
  for (const i of [0, 1]) {
    write(`refused.json.part${i}`, JSON.stringify({ ...head, modelDigest: 'another', answers }));
  }
  const out = ['--out', path('refused.json')];
  await fail(/of another model or other seeds/, ...options, '--seeds', '2', '--processes', '2', ...out);
  expect(JSON.parse(read('refused.json.part1')).modelDigest).toBe('another');
});

it('computes nothing twice', async () => {
  const before = read('whole.json');
  const marked = JSON.parse(before);
  marked.cells[0].lossSumNats = 77;
  write('done.json', JSON.stringify(marked));
  await succeed('done.json', ...options, '--seeds', '2');
  expect(JSON.parse(read('done.json')).cells).toEqual(marked.cells);
});

it('leaves a file alone that is of another model, other seeds or other parameters, or no evaluation', async () => {
  const whole = JSON.parse(read('whole.json'));
  const seeds = ['--seeds', '2', '--out'];
  const attempts: [string, object, RegExp, string[]][] = [
    [
      'model.json',
      { ...whole, modelDigest: 'of another model' },
      /is of another model or other seeds/,
      options,
    ],
    ['seeds.json', { ...whole, firstSeed: 7 }, /is of another model or other seeds/, options],
    ['other.json', { records: [] }, /is there and is no evaluation/, options],
    [
      'parameters.json',
      whole,
      /other parameters under the label "ESA, small"/,
      [...evaluate, '--tokens', '160', '--methods', methods.replace('16', '8')],
    ],
  ];
  for (const [name, content, pattern, args] of attempts) {
    const text = JSON.stringify(content);
    await fail(pattern, ...args, ...seeds, write(name, text));
    expect(read(name)).toBe(text);
  }
});

it('says what is wrong with what it is asked', async () => {
  const out = ['--seeds', '1', '--out', path('none.json')];
  const withMethods = (json: string): string[] => [...evaluate, '--tokens', '160', '--methods', json, ...out];
  await Promise.all([
    fail(/no task "two-needles"/, ...options, '--tasks', 'two-needles', ...out),
    fail(/3 tokens are too few/, ...options, '--tokens', '3', ...out),
    fail(/--tokens must be numbers/, ...options, '--tokens', 'many', ...out),
    fail(/--tokens needs at least one value/, ...options, '--tokens', ',', ...out),
    fail(
      /--seeds must be a whole number of at least 1/,
      ...options,
      '--seeds',
      '0',
      '--out',
      path('none.json'),
    ),
    fail(/--methods must be a JSON array/, ...withMethods('{"id":"esa"}')),
    fail(/--methods is not valid JSON/, ...withMethods('[full')),
    fail(/names the same method twice/, ...withMethods('["esa","esa"]')),
    fail(/no method "sparse"/, ...withMethods('["sparse"]')),
    fail(/esa has no parameter "topK"/, ...withMethods('[{"id":"esa","parameters":{"topK":1}}]')),
    fail(/tokenizer\.json/, ...options, '--model', 'tests/fixtures/llama-gqa', ...out),
  ]);
});
