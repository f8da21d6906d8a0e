/** Selections that were computed elsewhere: --evict-after writes such files, --kept reads them. */
import { expect, it } from 'vitest';
import { type TensorToWrite, writeSafetensors } from '../../src/model/files/safetensors-writer';
import { CAPTURE_FIXTURE, MODEL_FIXTURE, openCommandLine } from './keyhole';

const { fail, keyhole, path, read, succeed, tensors, write } = openCommandLine();
const source = ['--capture', CAPTURE_FIXTURE];
const CUT = 140;

interface Record {
  readonly method: string;
  readonly layer: number;
}

async function sweep(out: string, ...args: string[]): Promise<{ records: Record[]; notices: string[] }> {
  await succeed(out, 'sweep', ...source, ...args);
  return JSON.parse(read(out));
}

/** What a method's records say but for its name, its parameters and what scoring costs. */
const numbers = (records: readonly Record[], method: string): unknown[] =>
  records
    .filter((record) => record.method === method)
    .map((record) => {
      const { cost, ...rest } = { cost: {}, ...record } as { cost: { attentionOperations?: number } };
      return { ...rest, method: '', parameters: null, attention: cost.attentionOperations };
    });

// On the CPU: a process compiles WebGPU's kernels anew. tests/measure/webgpu.test.ts measures kept keys there.
it.each(['knorm', 'snapkv', 'adakv', 'streaming-llm', 'chunkkv'])(
  'measures what %s has written as %s itself',
  async (id) => {
    const file = `${id}.safetensors`;
    const cut = ['--evict-after', String(CUT), '--backend', 'cpu'];
    await succeed(file, 'select', ...source, '--method', id, '--params', '{"keepFraction":0.5}', ...cut);
    const { evicted_after, tokens: made, method } = tensors(file).metadata;
    expect({ evicted_after, made, method }).toEqual({ evicted_after: '140', made: '192', method: id });
    const args = ['--methods', id, '--keep', '0.5', '--kept', path(file), '--backend', 'cpu'];
    const { records, notices } = await sweep(`${id}.json`, ...args);
    const [own, imported] = [numbers(records, id), numbers(records, 'imported')];
    expect(own.length).toBe(4);
    expect(imported).toEqual(own);
    expect(notices.some((notice) => notice.includes('see every key'))).toBe(false);
  },
);

it('writes back what it reads, and later keys beside it', async () => {
  await succeed(
    ...(['once.safetensors', 'select', ...source, '--method', 'snapkv'] as const),
    ...['--evict-after', String(CUT), '--backend', 'cpu'],
  );
  const kept = ['--kept', path('once.safetensors'), '--backend', 'cpu'];
  await succeed('again.safetensors', 'select', ...source, ...kept, '--evict-after', String(CUT));
  await succeed('all.safetensors', 'select', ...source, ...kept);
  const [once, again, all] = [
    tensors('once.safetensors'),
    tensors('again.safetensors'),
    tensors('all.safetensors'),
  ];
  for (let layer = 0; layer < 4; layer++) {
    const name = `kept.${layer}`;
    const own = [...once.int32(name)];
    const [sets, width] = once.shape(name) as [number, number];
    expect(own.every((token) => token < CUT)).toBe(true);
    expect([...again.int32(name)]).toEqual(own);
    expect([...again.float32(`score.${layer}`)]).toEqual([...once.float32(`score.${layer}`)]);
    const later = Array.from({ length: 192 - CUT }, (_, i) => CUT + i);
    const seen = Array.from({ length: sets }, (_, set) => [
      ...own.slice(set * width, (set + 1) * width),
      ...later,
    ]);
    expect([...all.int32(name)]).toEqual(seen.flat());
  }
  expect(again.metadata.candidates).toBe(once.metadata.candidates);
});

it('measures what every block of a method that chooses anew sees as that method itself', async () => {
  const params = '{"pageTokens":8,"budgetTokens":48}';
  const cpu = ['--backend', 'cpu', '--answer', '150'];
  await succeed(
    ...(['quest.safetensors', 'select', ...source, '--method', 'quest', '--params', params] as const),
    ...['--all-blocks', ...cpu],
  );
  await succeed(
    ...(['blocks.safetensors', 'select', ...source, '--kept', path('quest.safetensors')] as const),
    ...['--all-blocks', ...cpu],
  );
  const [own, imported] = [tensors('quest.safetensors'), tensors('blocks.safetensors')];
  expect([...imported.int32('blocks')]).toEqual([...own.int32('blocks')]);
  const lists = own.names().filter((name) => /^kept\.\d+\.\d+$/.test(name));
  expect(lists.length).toBeGreaterThan(100);
  for (const name of lists) expect([...imported.int32(name)], name).toEqual([...own.int32(name)]);
}, 60_000);

const kept = (
  rows: readonly (readonly number[])[],
  metadata: { readonly [name: string]: string } = { evicted_after: '140' },
  layers = [0, 1, 2, 3],
  further: { readonly [name: string]: TensorToWrite } = {},
): Uint8Array => {
  const shape = [rows.length, rows[0]?.length ?? 0];
  const tensor = (): TensorToWrite => ({ dtype: 'I32', shape, data: Int32Array.from(rows.flat()) });
  const all = Object.fromEntries(layers.map((layer) => [`kept.${layer}`, tensor()]));
  return writeSafetensors({ ...all, ...further }, metadata);
};

it('says of a file without a place that no query stands after it', async () => {
  const file = write('nowhere.safetensors', kept([[0, 1, 5]], {}));
  const { records, notices } = await sweep('nowhere.json', '--kept', file, '--backend', 'cpu');
  expect(records).toHaveLength(4);
  expect(records[0]).toMatchObject({ method: 'imported', keep: 1, massRecall: 1 });
  expect(notices.join()).toMatch(
    /nowhere\.safetensors evicts after the last token, so no query stands after it/,
  );
});

it('says which queries come before the eviction', async () => {
  const file = write('early.safetensors', kept([[0, 1, 5]]));
  const early = await sweep('early.json', '--kept', file, '--queries', '100', '--backend', 'cpu');
  expect(early.notices.join()).toMatch(/Queries before token 140 come before early\.safetensors drops/);
});

it('gives nulls and the floor below what the file keeps', async () => {
  const file = write('floor.safetensors', kept([Array.from({ length: 35 }, (_, i) => i)]));
  const { records } = await sweep(
    'floor.json',
    '--kept',
    file,
    '--keep',
    '0.1,0.25,0.10',
    '--backend',
    'cpu',
  );
  expect(records.map((record) => [Reflect.get(record, 'keep'), Reflect.get(record, 'floor')])).toEqual(
    [0.1, 0.1, 0.1, 0.1, 0.25, 0.25, 0.25, 0.25].map((keep) => [keep, keep < 0.25 ? 0.25 : undefined]),
  );
});

const score = (rows: number, length: number, value = 1): { readonly [name: string]: TensorToWrite } => ({
  'score.0': { dtype: 'F32', shape: [rows, length], data: new Float32Array(rows * length).fill(value) },
});
const blocks = (...values: number[]): { readonly [name: string]: TensorToWrite } => ({
  blocks: { dtype: 'I32', shape: [values.length / 2, 2], data: Int32Array.from(values) },
});
const list = (...values: number[]): TensorToWrite => ({
  ...{ dtype: 'I32', shape: [1, values.length], data: Int32Array.from(values) },
});
const bad: readonly [what: string, file: Uint8Array, sentence: RegExp][] = [
  ['no safetensors', new TextEncoder().encode('kept'), /safetensors/],
  ['no lists', writeSafetensors({}), /bad\.safetensors: The file lists no kept keys/],
  [
    'a place and blocks',
    kept([[1]], { evicted_after: '140' }, [0], blocks(0, 192)),
    /blocks, which choose for themselves, and evicted_after, one choice for all: they exclude each other/,
  ],
  [
    'a shape',
    writeSafetensors({ 'kept.0': { ...list(1, 2), shape: [2] } }),
    /kept\.0 has shape .* instead of \[sets, tokens\]/,
  ],
  [
    'numbers',
    writeSafetensors({ 'kept.0': { dtype: 'F32', shape: [1, 1], data: new Float32Array(1) } }),
    /integers are needed/,
  ],
  [
    'a token after the eviction',
    kept([[0, 140]]),
    /lists token 140, which is out of range: tokens go from 0 to 139/,
  ],
  [
    'a token after the text',
    kept([[0, 192]], {}),
    /lists token 192 in layer 0, which is out of range: the text has 192 tokens, so it belongs to another text/,
  ],
  ['a negative token', kept([[-2, 3]]), /lists token -2, which is out of range/],
  ['an order', kept([[3, 1]]), /not ascending: 1 stands after 3/],
  ['a token twice', kept([[1, 1]]), /lists token 1 twice/],
  ['tokens after a pad', kept([[1, -1, 3]]), /lists tokens after −1/],
  [
    'a place after the text',
    kept([[1]], { evicted_after: '193' }),
    /evicts after 193 tokens, and the text has 192/,
  ],
  [
    'a place that is none',
    kept([[1]], { evicted_after: '1.5' }),
    /evicted_after "1\.5" is not a whole number/,
  ],
  ['a layer too few', kept([[1]], { evicted_after: '140' }, [0, 1, 3]), /lacks layer 2: it has no kept\.2/],
  [
    'a layer too many',
    kept([[1]], { evicted_after: '140' }, [0, 1, 2, 3, 4]),
    /keys of layer 4, and the model has 4 layers/,
  ],
  ['three sets', kept([[1], [1], [1]]), /has 3 sets of keys a layer; the model takes 1, 2 .* or 4/],
  [
    'uneven sets',
    kept([[1]], { evicted_after: '140' }, [0, 1, 2], { 'kept.3': { ...list(1, 1), shape: [2, 1] } }),
    /kept\.3 has 2 sets and its first tensor 1/,
  ],
  [
    'few scores',
    kept([[1]], { evicted_after: '140' }, [0, 1, 2, 3], score(1, 139)),
    /score\.0 has shape .* instead of \[1, 140\]/,
  ],
  [
    'infinite scores',
    kept([[1]], { evicted_after: '140' }, [0, 1, 2, 3], score(1, 140, Infinity)),
    /score\.0 holds Infinity for token 0/,
  ],
  [
    'candidates',
    kept([[1]], { evicted_after: '140', candidates: '{"0":[3]}' }),
    /candidates .* are not JSON/,
  ],
  [
    'blocks with a hole',
    writeSafetensors({ ...blocks(0, 4, 5, 192), 'kept.0.0': list(), 'kept.0.1': list() }),
    /block 1, 5 to 192, must .* begin where the one before it ends, at 4/,
  ],
  [
    'a block without a list',
    writeSafetensors({ ...blocks(0, 4, 4, 192), 'kept.0.0': list() }),
    /lacks tensor kept\.0\.1/,
  ],
  [
    'a query that sees nothing',
    writeSafetensors({ ...blocks(5, 6), 'kept.0.0': list() }),
    /kept\.0\.0, set 0, lists nothing/,
  ],
  [
    'half of a block',
    writeSafetensors({ ...blocks(4, 192), 'kept.0.0': list(1, 4, 5) }),
    /some tokens of its own block and not others/,
  ],
];
for (const [what, file, sentence] of bad) {
  it(`refuses ${what} in one sentence`, async () => {
    const name = write('bad.safetensors', file);
    const out = ['--out', path('bad-out.safetensors'), '--backend', 'cpu'];
    await fail(sentence, 'select', ...source, '--kept', name, ...out);
  });
}

it('says where a file or a place cannot stand', async () => {
  const file = write('good.safetensors', kept([[0, 1]]));
  const out = ['--out', path('none.safetensors'), '--backend', 'cpu'];
  await fail(/in the place of --method/, 'select', ...source, '--kept', file, '--method', 'knorm', ...out);
  await fail(/needs --method/, 'select', ...source, ...out);
  await fail(
    /quest drops no token for good/,
    ...['select', ...source, '--method', 'quest', '--evict-after', '140', ...out],
  );
  await fail(
    /give one of them/,
    ...['select', ...source, '--method', 'knorm', '--evict-after', '140', '--all-blocks', ...out],
  );
  await fail(
    /--kept lists the keys of one text/,
    ...['evaluate', '--model', MODEL_FIXTURE, '--kept', file, '--tasks', 'four-needles', '--tokens', '64'],
    ...['--methods', '["full"]', '--seeds', '1', '--out', path('none.json')],
  );
  const over = await keyhole('select', ...source, '--kept', file, '--out', file);
  expect(over.code).toBe(1);
});
