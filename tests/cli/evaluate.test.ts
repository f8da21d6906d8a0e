import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import {
  type Cell,
  cellOf,
  checkSameMeaning,
  checkSameSeeds,
  checkSameStart,
  countAnswers,
  placeText,
  readEvaluation,
} from '../../src/cli/evaluation-file';
import { sampleTexts } from '../../src/cli/node-environment';
import { buildText } from '../../src/engine/source';
import { wilsonInterval } from '../../src/measure/wilson';
import { tokenizer } from '../tasks/hay';
import { openCommandLine } from './keyhole';

const { path, keyhole, succeed, fail, read, write, start } = openCommandLine();
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
  expect(whole).toMatchObject({ model: 'model', backend: 'cpu', firstSeed: 0, startToken: null });
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
  const { stdout } = await succeed('shared.json', ...options, '--seeds', '2', '--processes', '2');
  expect(read('shared.json')).toBe(read('whole.json'));
  expect(stdout.split('\n').filter(Boolean)).toHaveLength(2);
  expect(() => read('shared.json.part0')).toThrow();
  expect(() => read('shared.json.lock')).toThrow();
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
  Object.assign(marked.cells[0], { lossSumNats: 77, lossNats: 38.5, right: '10', accuracy: 0.5 });
  const { low, high } = wilsonInterval(1, 2);
  marked.cells[0].interval95 = [low, high];
  // Made of the answers, whatever the file said of them.
  const wrong = structuredClone(marked);
  Object.assign(wrong.cells[0], { accuracy: 7, interval95: [9, -1], lossNats: -3 });
  write('done.json', JSON.stringify(wrong));
  // The same parameters in another order, a length twice.
  const reversed = JSON.stringify([
    'full',
    { parameters: Object.fromEntries(Object.entries(small).reverse()), id: 'esa', label: 'ESA, small' },
  ]);
  const again = [...evaluate, '--tokens', '160,160', '--methods', reversed, '--seeds', '2'];
  const { stdout } = await succeed('done.json', ...again);
  expect(JSON.parse(read('done.json')).cells).toEqual(marked.cells);
  expect(stdout.split('\n')[0]).toMatch(/^single-needle 160 full: 50\.0 % \[.*\] of 2, 38\.500 nats$/);
  expect(stdout.split('\n').filter(Boolean)).toHaveLength(2);
});

it('believes of a file only what cannot be computed, and refuses what contradicts itself', () => {
  const whole = JSON.parse(read('whole.json'));
  const damaged = (change: (cell: Record<string, unknown>, file: { cells: object[] }) => void): string => {
    const file = structuredClone(whole);
    change(file.cells[1], file);
    return write('damaged.json', JSON.stringify(file));
  };
  const name = 'single-needle, 160 tokens, "ESA, small"';
  const refused: [(cell: Record<string, unknown>, file: { cells: object[] }) => void, string | RegExp][] = [
    [
      (cell) => Object.assign(cell, { seeds: 1e15 }),
      `counts 1000000000000000 seeds for ${name}, but has 2 answers`,
    ],
    [(cell) => Object.assign(cell, { seeds: -3 }), `counts -3 seeds for ${name}`],
    [(cell) => Object.assign(cell, { right: '1x' }), /is no evaluation \(wrong at "cells\.1\.right"\)/],
    [(cell) => Object.assign(cell, { lossSumNats: null }), /wrong at "cells\.1\.lossSumNats"/],
    [(cell) => Object.assign(cell, { lossSumNats: -1 }), /wrong at "cells\.1\.lossSumNats"/],
    [(cell, file) => file.cells.push(cell), `has two cells for ${name}`],
    [(_, file) => Object.assign(file, { firstSeed: 0.5 }), /wrong at "firstSeed"/],
  ];
  for (const [change, pattern] of refused) expect(() => readEvaluation(damaged(change))).toThrow(pattern);
  const empty = damaged((cell) => Object.assign(cell, { right: '', seeds: 0, lossSumNats: 0 }));
  expect(readEvaluation(empty)?.cells[1]).toMatchObject({ accuracy: null, interval95: null, lossNats: null });
});

it('adds nothing to what an older version counted for a method whose kept fraction meant another whole', () => {
  const cell = (id: string, parameters: object, right = '10'): Cell =>
    ({
      task: 'stars',
      tokens: 256,
      label: id,
      id,
      parameters,
      right,
      seeds: right.length,
    }) as unknown as Cell;
  const check = (asked: Cell, version: string) =>
    expect(() => checkSameMeaning('old.json', { ...head, version, cells: [asked] }, [asked]));
  const head = {
    modelDigest: '0',
    firstSeed: 0,
    device: '',
    startToken: null,
    evictAfter: 'context' as const,
  };
  for (const [id, parameters] of [
    ['random', { keepFraction: 0.5 }],
    ['streaming-llm', {}],
    ['lagkv', { variant: 'kvpress' }],
  ] as const) {
    check(cell(id, parameters), '0.1.0').toThrow(
      `old.json is of version 0.1.0, where the kept fraction of "${id}" meant one of the whole text; name another file, or another label.`,
    );
    check(cell(id, parameters), '0.2.0').not.toThrow();
    check(cell(id, parameters, ''), '0.1.0').not.toThrow();
  }
  check(cell('streaming-llm', { positions: 'cache' }), '0.1.0').not.toThrow();
  check(cell('lagkv', {}), '0.1.0').not.toThrow();
  check(cell('esa', {}), '0.1.0').not.toThrow();
});

it('goes on with what an older version answered only where texts begin the same', () => {
  const head = (version: string, startToken: boolean | null = null) => ({
    ...{ version, modelDigest: '0', firstSeed: 0, device: '', startToken },
  });
  const check = (version: string, earlier: number[], present: number[]) =>
    expect(() => checkSameStart('old.json', head(version), { earlier, present }));
  check('0.1.0', [1], []).toThrow(
    "old.json is of version 0.1.0, where this model's texts began with its start token; go on with --start-token, or name another file.",
  );
  check('0.1.0', [], [1]).toThrow(/began without a start token; go on with --no-start-token/);
  check('0.1.0', [1], [1]).not.toThrow();
  check('0.2.0', [1], []).not.toThrow();
  // What is asked for now, which an older version did not write, is no reason by itself.
  const seeds = (version: string) => () =>
    checkSameSeeds('old.json', head(version), {
      modelDigest: '0',
      firstSeed: 0,
      startToken: true,
    });
  expect(seeds('0.1.0')).not.toThrow();
  expect(seeds('0.2.0')).toThrow('old.json is of texts without --start-token');
});

it('refuses what 0.1.0 answered of a model whose start token only its configuration names', async () => {
  const model = path('own-model');
  cpSync('samples/model', model, { recursive: true });
  const edit = (name: string, change: (json: Record<string, unknown>) => void): void => {
    const json = JSON.parse(readFileSync(`${model}/${name}`, 'utf8'));
    change(json);
    writeFileSync(`${model}/${name}`, JSON.stringify(json));
  };
  edit('tokenizer.json', (json) => delete json.post_processor);
  if (existsSync(`${model}/tokenizer_config.json`))
    edit('tokenizer_config.json', (json) => delete json.add_bos_token);
  const asked = options.map((option) => (option === 'samples/model' ? model : option));
  await succeed('of-0.1.0.json', ...asked, '--seeds', '1', '--start-token');
  const saved = JSON.parse(read('of-0.1.0.json'));
  delete saved.startToken;
  write('of-0.1.0.json', JSON.stringify({ ...saved, version: '0.1.0' }));
  const pattern =
    /is of version 0\.1\.0, where this model's texts began with its start token; go on with --start-token/;
  await fail(pattern, ...asked, '--seeds', '2', '--out', path('of-0.1.0.json'));
  await succeed('of-0.1.0.json', ...asked, '--seeds', '1', '--start-token');
  expect(JSON.parse(read('of-0.1.0.json'))).toEqual({ ...saved, startToken: true });
});

it('evicts before the question, after it, or both, a cell each', async () => {
  const entry = { id: 'streaming-llm', parameters: { keepFraction: 0.5 } };
  const asked = [...evaluate, '--tokens', '160', '--methods', JSON.stringify([entry]), '--seeds', '1'];
  const both = ['--evict-after', 'question,context', '--measure'];
  const { stdout } = await succeed('both.json', ...asked, ...both);
  const [before, after] = JSON.parse(read('both.json')).cells;
  expect(before).toMatchObject({ label: 'streaming-llm', evictAfter: 'context', seeds: 1 });
  expect(after).toMatchObject({ label: 'streaming-llm', evictAfter: 'question', seeds: 1 });
  expect(after.lossNats).not.toBeCloseTo(before.lossNats, 3);
  // What is measured was evicted where the answer's value starts, as what answered was.
  const source = { kind: 'task', task: 'single-needle', tokens: 160, depth: 'spread', seed: 0 } as const;
  const read160 = { source, queriesStart: 'answer', startToken: null } as const;
  const config = { trainedTokens: 1024, vocabularySize: 2048 };
  const { start, end } = buildText(read160, tokenizer, config, sampleTexts()).facts.queries;
  let kept = 0;
  for (let query = start; query < end; query++)
    kept += (Math.floor(0.5 * start) + query + 1 - start) / (query + 1);
  expect(after.means.kept).toBeCloseTo(kept / (end - start), 6);
  expect(stdout).toMatch(
    /^single-needle 160 streaming-llm: .*\nsingle-needle 160 streaming-llm, after the question: /,
  );
  // A file that does not say it is of the context.
  const old = JSON.parse(read('both.json'));
  delete old.cells[0].evictAfter;
  write('both.json', JSON.stringify(old));
  await succeed('both.json', ...asked, '--measure');
  expect(JSON.parse(read('both.json')).cells).toEqual([after, before]);
  await fail(
    /--evict-after must be context, before the question, question, after it, or both/,
    ...[...asked, '--evict-after', 'answer', '--out', path('none.json')],
  );
});

it('says of a method that does not evict once that it is measured after the question', () => {
  const text = (id: string, parameters = {}, evictAfter: 'context' | 'question' = 'question') =>
    placeText({ id, parameters, evictAfter });
  expect(text('quest')).toBe(', measured after the question');
  expect(text('infllm', { localTokens: 64 })).toBe(', measured after the question');
  expect(text('streaming-llm')).toBe(', after the question');
  expect(text('streaming-llm', { positions: 'cache' })).toBe(', measured after the question');
  expect(text('quest', {}, 'context')).toBe('');
});

it('counts what is said of a text and a method once', () => {
  const key = { task: 'stars', tokens: 64, label: 'a', evictAfter: 'context' } as const;
  const cells: Cell[] = [];
  cellOf(cells, { ...key, id: 'full', parameters: {} });
  const answer = (seed: number, ...notices: string[]) => ({
    ...key,
    seed,
    isRight: true,
    lossNats: 1,
    notices,
  });
  const later = countAnswers(cells, [answer(8, 'B.'), answer(6, 'A.'), answer(5, 'A.')], 5);
  expect(cells).toMatchObject([{ right: '11', notices: ['A.'], lossNats: 1 }]);
  expect(later).toEqual([answer(8, 'B.')]);
});

it('refuses to write a file that another evaluation writes, and ends its processes with itself', async () => {
  const out = path('held.json');
  const command = [...options, '--seeds', '400', '--processes', '2', '--out', out];
  const parent = start(...command);
  const children = () => childrenOf(parent.pid);
  await vi.waitFor(() => expect(existsSync(`${out}.part0`) && existsSync(`${out}.part1`)).toBe(true), 40_000);
  expect(await keyhole(...options, '--seeds', '1', '--out', out)).toEqual({
    code: 1,
    stdout: '',
    stderr: `${out} is being written by process ${parent.pid}; wait until it has ended, or name another file.\n`,
  });
  const pids = children();
  expect(pids).toHaveLength(2);
  parent.kill('SIGKILL');
  await vi.waitFor(() => expect(pids.filter(isRunning)).toEqual([]), 20_000);
  // The lock of a process that has ended holds nobody up, and what was answered counts.
  await succeed('held.json', ...options, '--seeds', '1');
  expect(JSON.parse(read('held.json')).cells[0].right).toMatch(/^1+$/);
  expect(existsSync(`${out}.lock`)).toBe(false);
}, 120_000);

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
  let outs = 0;
  // Each its own, or one would wait for another's lock.
  const out = ['--seeds', '1', '--out', path('none.json')];
  const ownOut = (): string[] => ['--out', path(`none${outs++}.json`)];
  const withMethods = (json: string): string[] => [...evaluate, '--tokens', '160', '--methods', json, ...out];
  await Promise.all([
    fail(/no task "two-needles"/, ...options, '--tasks', 'two-needles', ...out),
    fail(/3 tokens are too few/, ...options, '--tokens', '3', ...out, ...ownOut()),
    fail(/--tokens must be numbers/, ...options, '--tokens', 'many', ...out),
    fail(
      /--tokens holds whole numbers of tokens, and 160\.5 is none/,
      ...options,
      '--tokens',
      '160.5',
      ...out,
    ),
    fail(
      /--first-seed must be a whole number from 0 to 4294967295, not "1e20"/,
      ...options,
      ...['--first-seed', '1e20', ...out],
    ),
    fail(
      /go up to seed 4294967296/,
      ...options,
      '--first-seed',
      '4294967295',
      '--seeds',
      '2',
      ...out.slice(2),
    ),
    fail(/--processes must be a whole number from 1 to 256/, ...options, '--processes', '1e9', ...out),
    fail(/evaluate has no option --part; --processes N/, ...options, '--part', '0/1e9', ...out),
    fail(/evaluate has no option --part/, ...options, '--part', '0/2', ...out),
    fail(/The label "\\u001b\[2J" has characters/, ...withMethods('[{"id":"esa","label":"\\u001b[2J"}]')),
    fail(/has characters that are not seen/, ...withMethods('[{"id":"esa","label":"a\\u202eb"}]')),
    fail(/has characters that are not seen/, ...withMethods('[{"id":"esa","label":"two\\nlines"}]')),
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
    fail(
      /esa has no parameter "topK"/,
      ...withMethods('[{"id":"esa","parameters":{"topK":1}}]'),
      ...ownOut(),
    ),
    fail(/tokenizer\.json/, ...options, '--model', 'tests/fixtures/llama-gqa', ...out, ...ownOut()),
  ]);
});

/** Processes whose parent is `pid`. */
function childrenOf(pid: number): number[] {
  const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return list.split(' ').filter(Boolean).map(Number);
}

/** Whether a process is there and no zombie. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
