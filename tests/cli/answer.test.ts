import { expect, it } from 'vitest';
import { sweepCommand } from '../../components/shared/command';
import { createCpuOps } from '../../gpu/cpu';
import { nodeEnvironment } from '../../src/cli/node-environment';
import { Engine } from '../../src/engine/engine';
import { openModel } from '../../src/engine/open-model';
import { buildText } from '../../src/engine/source';
import type { LayerMeasurement } from '../../src/measure/results';
import { methods } from '../../src/methods';
import { nodeFolder } from '../../src/model/files/folder-node';
import { defaultSession } from '../../src/page/choices';
import { parameterContext } from '../../src/study/context';
import type { TextFacts } from '../../src/study/facts';
import type { StudySpec } from '../../src/study/spec';
import { MODEL_FIXTURE, openCommandLine } from './keyhole';

const { succeed, keyhole, read, write, tensors, path } = openCommandLine();
const ids = Array.from({ length: 60 }, (_, i) => (i * i * 31 + i * 7 + 3) % 128);
const cpu = ['--backend', 'cpu'];

interface Sweep {
  readonly notices: string[];
  readonly records: {
    readonly layer: number;
    readonly kept: number;
    readonly massRecall: number;
    readonly outputError: number;
  }[];
}

it('reads an answer token by token, from --answer and from the capture that says where it begins', async () => {
  const file = write('ids.json', JSON.stringify(ids));
  const source = ['--model', MODEL_FIXTURE, '--ids-file', file];
  await succeed('answer.capture', 'forward', ...cpu, ...source, '--answer', '47');
  expect(tensors('answer.capture').metadata).toMatchObject({ answer_start: '47', trained_tokens: '2048' });

  const params = [
    '--params',
    '{"chunkTokens": 16, "localTokens": 8, "selectedTokens": 5, "projection": "exact"}',
  ];
  const select = ['select', ...cpu, '--method', 'esa', ...params, '--all-blocks'];
  await succeed('by-model', ...select, ...source, '--answer', '47');
  await succeed('by-capture', ...select, '--capture', path('answer.capture'));
  const blocks = [0, 16, 32, ...Array.from({ length: 13 }, (_, i) => 47 + i)];
  const expected = blocks.flatMap((start, i) => [start, blocks[i + 1] ?? 60]);
  for (const name of ['by-model', 'by-capture']) {
    const selection = tensors(name);
    expect([...selection.int32('blocks')], name).toEqual(expected);
    expect([...selection.int32('kept.1')]).toEqual([...tensors('by-model').int32('kept.1')]);
  }

  const sweep = ['sweep', ...cpu, '--methods', 'esa', '--keep', '0.4', '--queries', '40'];
  await succeed('other.json', ...sweep, '--capture', path('answer.capture'), '--answer', '50');
  const { notices } = JSON.parse(read('other.json')) as Sweep;
  expect(notices.join(' ')).toContain('its answer begins at token 47; --answer 50 is taken instead.');
  await succeed('same.json', ...sweep, '--capture', path('answer.capture'), '--answer', '47');
  expect((JSON.parse(read('same.json')) as Sweep).notices.join(' ')).not.toContain('--answer');
});

it('refuses an answer without a prompt before it or a token in it', async () => {
  const file = write('ids.json', JSON.stringify(ids));
  for (const [answer, sentence] of [
    ['60', '--answer must be a token from 1 to 59, where the answer begins, not 60.'],
    ['0', '--answer must be a whole number of at least 1'],
    ['x', '--answer must be a whole number of at least 1'],
  ] as const) {
    const { code, stderr } = await keyhole(
      ...['sweep', ...cpu, '--model', MODEL_FIXTURE, '--ids-file', file, '--methods', 'esa', '--keep', '0.5'],
      ...['--answer', answer, '--out', path('never.json')],
    );
    expect(code).toBe(1);
    expect(stderr).toContain(sentence);
  }
});

it('has the numbers of the page for a task, by the command that the page copies', async () => {
  const find = (id: string) => methods.find((method) => method.id === id) ?? null;
  const source = { kind: 'task', task: 'single-needle', tokens: 200, depth: 'spread', seed: 3 } as const;
  const session = { ...defaultSession(find, () => parameterContext(source, null, null)), source };
  const spec: StudySpec = { ...session, pinned: [] };
  let layers: readonly LayerMeasurement[] = [];
  let facts: TextFacts | null = null;
  const ops = createCpuOps();
  const environment = { ...nodeEnvironment(), modelFolder: () => nodeFolder('samples/model') };
  await new Engine(ops, environment).run({
    spec,
    parts: ['probe'],
    signal: new AbortController().signal,
    full: null,
    onFull: () => {},
    emit({ name, value }) {
      if (name === 'text') facts = value;
      if (name === 'measured') layers = value.layers ?? layers;
    },
  });
  const { tokens, queries, answerStart } = facts! as TextFacts;
  expect(answerStart).toBeGreaterThan(queries.start);
  const context = { ...parameterContext(source, null, null), tokens };
  const saved = { name: 'TEXT.txt', text: '' };
  const study = { session, findMethod: find, context, queriesStart: queries.start, answerStart, saved };
  const { line } = sweepCommand({ ...study, session: { ...session, pinned: [] } } as never, [1, 0.999]);
  expect(line).toContain(` --answer ${answerStart} `);

  const model = await openModel(ops, nodeFolder('samples/model'));
  const text = buildText(spec, model.tokenizer!, model.config, await environment.sampleTexts());
  const args = [...line.matchAll(/'[^']*'|\S+/g)].map(([word]) => word.replaceAll("'", ''));
  const replaced = args.slice(args.indexOf('sweep'), args.indexOf('--out')).filter((word) => word !== '');
  const textAt = replaced.indexOf('--text');
  replaced.splice(textAt, 2, '--ids-file', write('task.json', JSON.stringify([...text.ids])));
  const { selectedTokens } = session.method.parameters;
  expect(Number(selectedTokens)).toBeGreaterThan(0);
  // The study's own point: the budget that gives just these parameters.
  const keep = replaced.indexOf('--keep');
  const { localTokens, initTokens } = session.method.parameters as {
    localTokens: number;
    initTokens: number;
  };
  replaced[keep + 1] = String((Number(selectedTokens) + localTokens + initTokens + 0.5) / tokens);
  await succeed('page.json', ...replaced, ...cpu);
  const { records } = JSON.parse(read('page.json')) as Sweep;
  expect(records.length).toBe(layers.length);
  for (const [i, layer] of layers.entries()) {
    for (const [found, wanted] of [
      [records[i]!.kept, layer.keptShare],
      [records[i]!.massRecall, layer.massRecall],
      [records[i]!.outputError, layer.outputError],
    ] as const) {
      expect(Math.abs(found - wanted!)).toBeLessThan(1e-7);
    }
  }
  ops.destroy();
});
