import { expect, it } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { version } from '../../package.json';
import { measureCost } from '../../src/measure/cost';
import { MADE_CACHE_REASON } from '../../src/measure/made-cache';
import { measureLayers } from '../../src/measure/measure-layers';
import { contextOf } from '../../src/measure/trace-run';
import { methodById } from '../../src/methods';
import type { Parameters } from '../../src/methods/parameters';
import { readCapture } from '../../src/model/capture/capture';
import { digestFiles } from '../../src/model/files/digest';
import { bytesInMemory } from '../../src/model/files/file-bytes';
import { traceOfCapture } from '../../src/trace/from-decoder';
import { inputs } from '../methods/fixture';
import { fileBytes, fixtureTensors } from '../model/files';
import { CAPTURE_FIXTURE, MODEL_FIXTURE, openCommandLine } from './keyhole';

interface Record {
  readonly method: string;
  readonly layer: number;
  readonly keep: number;
  readonly kept: number | null;
  readonly massRecall: number | null;
  readonly topkRecall: number | null;
  readonly topkChance: number | null;
  readonly topkRows: number | null;
  readonly outputError: number | null;
  readonly outputErrorProjected: number | null;
  readonly density: number | null;
  readonly cost: object | null;
  readonly floor?: number;
  readonly reason?: string;
  readonly parameters?: Parameters;
}

const { succeed, read, write } = openCommandLine();
const esa = { projection: 'exact', initTokens: 4, localTokens: 32, chunkTokens: 32, proximity: 1 };
const numbers = [
  ...(['kept', 'massRecall', 'topkRecall', 'topkChance', 'topkRows', 'outputError'] as const),
  ...(['outputErrorProjected', 'density', 'cost'] as const),
];

async function sweep(
  out: string,
  ...args: string[]
): Promise<{ records: Record[] } & { [key: string]: unknown }> {
  await succeed(out, 'sweep', '--backend', 'cpu', ...args);
  return JSON.parse(read(out));
}

it('writes a record for every method, keep and layer, with the numbers of a probe run', async () => {
  const methods = ['esa', 'streaming-llm', 'lagkv'];
  const { records, ...head } = await sweep(
    'all.json',
    ...['--capture', CAPTURE_FIXTURE, '--methods', methods.join(','), '--keep', '0.1,0.5'],
    ...['--params', JSON.stringify({ esa, lagkv: { variant: 'kvpress', sinkTokens: 4, lagTokens: 32 } })],
  );
  const order = methods.flatMap((method) =>
    [0.1, 0.5].flatMap((keep) => [0, 1, 2, 3].map((layer) => ({ method, keep, layer }))),
  );
  expect(records.map(({ method, keep, layer }) => ({ method, keep, layer }))).toEqual(order);
  expect(head).toMatchObject({
    version,
    modelDigest: null,
    model: 'random Llama with sharpened attention',
    tokens: 192,
    queryHeads: 4,
    keyValueHeads: 2,
    queries: { start: 168, end: 192 },
  });
  expect(Object.keys(head.units as object)).toEqual(expect.arrayContaining(['keep', ...numbers]));

  const ops = createCpuOps();
  const text = await traceOfCapture(ops, await readCapture(inputs));
  const queries = { start: 168, end: 192 };
  let compared = 0;
  for (const record of records) {
    if (record.kept === null) continue;
    if (record.method === 'esa') expect(record.topkRows).toBe(24 * 4);
    expect(record.topkRows === 0).toBe(record.topkRecall === null);
    const method = methodById(record.method);
    const parameters = record.parameters!;
    const own = { ...text, layerTraces: text.layerTraces.filter(({ layer }) => layer === record.layer) };
    const [measured] = await measureLayers({ text: own, method, parameters, queries });
    expect(record).toMatchObject({
      massRecall: measured!.massRecall,
      topkRecall: measured!.topkRecall,
      topkChance: measured!.topkChance,
      topkRows: measured!.topkRows,
      // A capture has no output projection.
      outputErrorProjected: null,
      outputError: measured!.outputError,
      kept: measured!.keptShare,
    });
    const request = { method, parameters, context: contextOf(text), queries, layers: [record.layer] };
    const { density, attentionOperations, paperOperations } = measureCost({
      ...request,
      answerStart: null,
      weightOperations: 0,
    });
    expect(record).toMatchObject({ density, cost: { attentionOperations } });
    // Null is what no point has: a paper that does not count has no key.
    expect('paperOperations' in record.cost!).toBe(record.method === 'esa');
    if (paperOperations) expect(record.cost).toMatchObject({ paperOperations });
    compared++;
  }
  expect(compared).toBeGreaterThanOrEqual(12);
  ops.destroy();
});

it('asks for the budget that was given: more of it keeps and recalls more', async () => {
  const args = ['--capture', CAPTURE_FIXTURE, '--layers', '1', '--params', JSON.stringify({ esa })];
  const { records } = await sweep('more.json', ...args, '--methods', 'esa', '--keep', '0.25,0.5,1');
  expect(records.map(({ parameters }) => parameters?.selectedTokens)).toEqual([12, 60, 156]);
  const recalls = records.map(({ massRecall }) => massRecall!);
  expect(recalls).toEqual([...recalls].sort((a, b) => a - b));
  expect(recalls[2]).toBeCloseTo(1, 6);
  expect(records[2]).toMatchObject({ kept: 1, outputError: 0, topkRecall: null });
  expect(records.map(({ reason }) => reason?.slice(0, 17))).toEqual([
    undefined,
    undefined,
    'No top-k recall: ',
  ]);
});

it('writes nulls and the floor below what a method can do', async () => {
  const args = ['--capture', CAPTURE_FIXTURE, '--methods', 'esa,full', '--params', JSON.stringify({ esa })];
  const { records } = await sweep('floor.json', ...args, '--keep', '0.1,0.1875', '--layers', '0,3');
  const below = {
    kept: null,
    massRecall: null,
    topkRecall: null,
    topkChance: null,
    topkRows: null,
    outputError: null,
    outputErrorProjected: null,
    density: null,
    cost: null,
  };
  const esaRecords = records.filter(({ method }) => method === 'esa');
  for (const record of esaRecords.slice(0, 2)) expect(record).toMatchObject({ ...below, floor: 36 / 192 });
  for (const record of esaRecords.slice(2)) {
    expect(record.parameters?.selectedTokens).toBe(0);
    expect(record.floor).toBeUndefined();
    for (const name of numbers.filter((key) => !/^topk|Projected$/.test(key)))
      expect(record[name], name).not.toBeNull();
  }
  for (const record of records.filter(({ method }) => method === 'full')) {
    expect(record).toMatchObject({ ...below, floor: 1 });
  }
});

it('measures the layers and queries that are asked for', async () => {
  const args = ['--capture', CAPTURE_FIXTURE, '--methods', 'streaming-llm', '--keep', '0.25'];
  const some = await sweep('some.json', ...args, '--layers', '2', '--queries', '1');
  expect(some.queries).toEqual({ start: 1, end: 192 });
  expect(some.records.map(({ layer }) => layer)).toEqual([2]);
  const few = await sweep('few.json', ...args, '--layers', '2', '--queries', '190');
  expect(few.queries).toEqual({ start: 190, end: 192 });
  expect(few.records[0]!.massRecall).not.toBe(some.records[0]!.massRecall);
  // Two queries see 191 and 192 keys, and ⌊190 / 4⌋ of those before the eviction are kept beside what came since.
  expect(few.records[0]!.kept).toBeCloseTo((48 / 191 + 49 / 192) / 2, 10);
});

it('says that nothing can be evicted where queries are the whole text', async () => {
  const params = JSON.stringify({ lagkv: { variant: 'kvpress' } });
  const methods = ['random', 'streaming-llm', 'lagkv', 'oracle'];
  const args = ['--capture', CAPTURE_FIXTURE, '--methods', methods.join(','), '--params', params];
  const { records } = await sweep('none.json', ...args, '--keep', '0.05', '--layers', '3', '--queries', '0');
  for (const record of records.slice(0, 3)) {
    expect(record).toEqual({
      method: record.method,
      layer: 3,
      keep: 0.05,
      ...Object.fromEntries(numbers.map((name) => [name, null])),
      reason: 'Nothing stands before the queries, so there is nothing to evict; let the queries begin later.',
    });
  }
  expect(records[3]!.kept).toBeLessThan(0.5);
});

it('has no recall of a cache of mixtures, and says why', async () => {
  const args = ['--capture', CAPTURE_FIXTURE, '--methods', 'freqkv', '--keep', '0.01,0.25'];
  const { records } = await sweep('freqkv.json', ...args, '--layers', '1');
  const [few, quarter] = records;
  // Four sinks and one row at least.
  expect(few).toMatchObject({ kept: null, massRecall: null, floor: 5 / 192 });
  expect(quarter).toMatchObject({ massRecall: null, topkRecall: null, reason: MADE_CACHE_REASON });
  expect(quarter!.parameters ?? { cacheTokens: 48 }).toMatchObject({ cacheTokens: 48 });
  // 48 rows and what a block reads: more than half a cache and less than a whole one, of 169 to 192 keys.
  expect(quarter!.kept).toBeGreaterThan(26 / 192);
  expect(quarter!.kept).toBeLessThan(48 / 168);
  expect(quarter!.outputError).toBeGreaterThan(0);
  expect(quarter!.density).toBeCloseTo(quarter!.kept!, 12);
});

it('measures one query whose keys are all near, where others would be read at far positions', async () => {
  const text = ['--model', 'samples/model', '--text', 'samples/texts/short.txt', '--queries', '169'];
  const params = JSON.stringify({ 'grouped-positions': { neighborTokens: 1024, groupSize: 8 } });
  const method = ['--methods', 'grouped-positions', '--keep', '1', '--params', params];
  const { records } = await sweep('near.json', ...text, ...method);
  expect(records).toHaveLength(8);
  for (const { kept, massRecall, outputError } of records) {
    expect([kept, massRecall]).toEqual([1, 1]);
    expect(outputError).toBeLessThan(1e-6);
  }
});

it('reads a text with a model, and names the model', async () => {
  const ids = [...fixtureTensors('llama-gqa/expected.safetensors').int32('input_ids')];
  const idsFile = write('ids.json', JSON.stringify(ids));
  const args = ['--model', MODEL_FIXTURE, '--ids-file', idsFile, '--methods', 'full', '--keep', '1'];
  const { records, ...head } = await sweep('model.json', ...args);
  const digest = await digestFiles(
    ['config.json', 'model.safetensors'].map((name) =>
      bytesInMemory(name, new Uint8Array(fileBytes(`${MODEL_FIXTURE}/${name}`))),
    ),
  );
  expect(head).toMatchObject({ model: 'llama-gqa', modelDigest: digest, tokens: 96 });
  expect(records.map(({ layer }) => layer)).toEqual([0, 1, 2]);

  // A model has the output projection that a capture lacks.
  const oracle = ['--model', MODEL_FIXTURE, '--ids-file', idsFile, '--methods', 'oracle', '--keep', '0.25'];
  const lossy = await sweep('lossy.json', ...oracle);
  for (const { outputErrorProjected } of lossy.records) expect(outputErrorProjected).toBeGreaterThan(1e-4);
});

it.each([
  ['closed-form', 'A'],
  ['learned', 'A'],
  ['closed-form', 'A few words, fewer than the local part.'],
  ['learned', 'A few words, fewer than the local part.'],
])('measures every method on a text that is shorter than its parts: %s, "%s"', async (projection, words) => {
  const text = write('short.txt', words);
  const { records } = await sweep(
    'short.json',
    ...['--model', 'samples/model', '--text', text, '--queries', '1', '--keep', '1'],
    ...[
      '--methods',
      'full,esa,lagkv,streaming-llm,oracle,random',
      '--params',
      JSON.stringify({ esa: { projection } }),
    ],
  );
  expect(records).toHaveLength(6 * 8);
  for (const { massRecall } of records) expect(massRecall).toBeCloseTo(1, 5);
});
