import { expect, it } from 'vitest';
import { openCommandLine } from './keyhole';

const { path, succeed, fail, read, write } = openCommandLine();
const methods = JSON.stringify([{ id: 'full', keep: [] }, 'snapkv', 'quest']);
const command = [
  ...['evaluate', '--backend', 'cpu', '--model', 'samples/model', '--tasks', 'single-needle'],
  ...['--tokens', '128', '--seeds', '3', '--methods', methods, '--keep', '0.5,0.1', '--measure'],
];
const shard = (i: number) => path(`shard-${i}.json`);

it('merges shards into the file of one command, in any order, and measures beside answers', async () => {
  await Promise.all([
    succeed('whole.json', ...command),
    succeed('shard-1.json', ...command, '--shard', '1/3'),
    succeed('shard-2.json', ...command, '--shard', '2/3', '--processes', '2'),
    succeed('shard-3.json', ...command, '--shard', '3/3'),
  ]);
  await succeed('merged.json', 'evaluate', 'merge', shard(3), shard(1), shard(2));
  expect(read('merged.json')).toBe(read('whole.json'));

  const { cells } = JSON.parse(read('whole.json'));
  const cell = (label: string) => cells.find((other: { label: string }) => other.label === label);
  expect(cell('full').means).toMatchObject({ digitShare: 1, kept: 1, massRecall: 1, outputError: 0 });
  expect(cell('full').means.divergenceNats).toBe(0);
  for (const label of ['snapkv @0.5', 'quest @0.5']) {
    const { kept, massRecall, outputError, divergenceNats } = cell(label).means;
    expect(kept).toBeLessThan(0.7);
    expect(massRecall).toBeLessThan(1);
    expect(outputError).toBeGreaterThan(0);
    expect(divergenceNats).toBeGreaterThan(0);
  }
  expect(cell('snapkv @0.1').means.massRecall).toBeLessThan(cell('snapkv @0.5').means.massRecall);
  // Three pages of sixteen tokens are more than a tenth of the text.
  expect(cell('quest @0.1')).toMatchObject({
    right: '---',
    accuracy: null,
    interval95: null,
    lossNats: null,
  });
  expect(cell('quest @0.1').notices.join()).toContain('below what quest can keep');
}, 240_000);

it('loses nothing and counts nothing twice', async () => {
  const out = ['--out', path('refused.json')];
  const merge = (...files: string[]) => ['evaluate', 'merge', ...files, ...out];
  const changed = (i: number, change: (file: { answers: object[] } & Record<string, unknown>) => void) => {
    const file = JSON.parse(read(`shard-${i}.json`));
    change(file);
    return write(`changed-${Math.random()}.json`, JSON.stringify(file));
  };
  const unfinished = changed(2, ({ answers }) => answers.pop());
  const doubled = changed(2, ({ answers }) => answers.push(answers[0]!));
  const foreign = changed(2, (file) => Object.assign(file, { modelDigest: 'another' }));
  await fail(
    /^Shard 2\/3 is missing; evaluate merge needs the files of all 3\.$/m,
    ...merge(shard(1), shard(3)),
  );
  await fail(/are both shard 1\/3; leave one out/, ...merge(shard(1), shard(1), shard(2), shard(3)));
  await fail(/is not finished: seed \d of single-needle/, ...merge(shard(1), unfinished, shard(3)));
  await fail(/twice, or it is none of shard 2\/3/, ...merge(shard(1), doubled, shard(3)));
  await fail(/are not of one evaluation/, ...merge(shard(1), foreign, shard(3)));
  await fail(/is there and is no evaluation/, ...merge(path('whole.json')));
  await fail(/needs the files of all shards/, ...merge());
  await fail(/is shard 1\/3 of another evaluation/, ...command, '--shard', '2/3', '--out', shard(1));
  for (const text of ['0/3', '4/3', '1', '1/0', 'a/b'])
    await fail(/--shard is I\/N/, ...command, '--shard', text, ...out);
  await fail(/--evict-after must be context/, ...command, '--evict-after', 'answer', ...out);
}, 240_000);
