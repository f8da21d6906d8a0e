import { describe, expect, it } from 'vitest';
import type { SafetensorsFile } from '../../src/model/files/safetensors';
import { compareChosen, tolerances } from '../methods/agreement';
import { expected, expectedKept, expectedScores, inputs, runs } from '../methods/fixture';
import { CAPTURE_FIXTURE, MODEL_FIXTURE, openCommandLine } from './keyhole';

const { succeed, fail, tensors, path, write } = openCommandLine();
const layers = [0, 1, 2, 3];

/** `select` of a fixture's run on the fixtures' capture. */
async function select(name: string, out: string, ...further: string[]): Promise<SafetensorsFile> {
  const { id, params } = runs[name]!.keyhole;
  const method = ['--method', id, '--params', JSON.stringify(params)];
  const { stdout, stderr } = await succeed(
    out,
    'select',
    '--capture',
    CAPTURE_FIXTURE,
    ...method,
    ...further,
  );
  expect(stdout + stderr).toBe('');
  return tensors(out);
}

function rows(file: SafetensorsFile, name: string): Float32Array[] {
  const [sets, tokens] = file.shape(name);
  const data = file.float32(name);
  return Array.from({ length: sets! }, (_, set) => data.slice(set * tokens!, (set + 1) * tokens!));
}

function sets(file: SafetensorsFile, name: string): number[][] {
  const [count, length] = file.shape(name);
  const data = [...file.int32(name)];
  return Array.from({ length: count! }, (_, set) => data.slice(set * length!, (set + 1) * length!));
}

it('writes the one set of StreamingLLM, the same in every layer', async () => {
  const file = await select('streaming_llm@0.5', 'streaming.safetensors', '--backend', 'cpu');
  expect(file.names().sort()).toEqual(layers.flatMap((l) => [`kept.${l}`, `score.${l}`]).sort());
  for (const layer of layers) {
    expect(file.shape(`kept.${layer}`)).toEqual([1, 96]);
    expect(file.shape(`score.${layer}`)).toEqual([1, 192]);
    expect(sets(file, `kept.${layer}`)[0]).toEqual(expectedKept(`streaming_llm@0.5.kept.${layer}`)[0]);
    expect(rows(file, `score.${layer}`)[0]).toEqual(expectedScores(`streaming_llm@0.5.score.${layer}`)[0]);
  }
  expect(file.metadata.method).toBe('streaming-llm');
  expect(JSON.parse(file.metadata.parameters!)).toEqual({
    keepFraction: 0.5,
    sinkTokens: 4,
    positions: 'original',
  });
  expect(JSON.parse(file.metadata.notices!)).toEqual([]);
});

it('writes no score of keys that SparQ sees whatever they score', async () => {
  const file = await select(
    'sparq@r8_k32_local16_mean',
    'sparq.safetensors',
    '--backend',
    'cpu',
    '--layers',
    '0',
  );
  const row = rows(file, 'score.0')[0]!;
  expect(row.slice(-17).every(Number.isNaN)).toBe(true);
  expect(row.slice(0, -17).every(Number.isFinite)).toBe(true);
});

it('writes a set for every key-value head of LagKV', async () => {
  const name = 'lagkv_official@keep0.5_sink4_lag32_v1.0';
  const file = await select(name, 'lagkv.safetensors', '--backend', 'cpu');
  for (const layer of layers) {
    expect(file.shape(`kept.${layer}`)).toEqual([2, 128]);
    expect(file.shape(`score.${layer}`)).toEqual([2, 192]);
    const scores = rows(file, `score.${layer}`);
    const reference = expectedKept(`${name}.kept.${layer}`);
    sets(file, `kept.${layer}`).forEach((kept, head) => {
      // Sinks, the last partition and what does not fill one are never scored.
      expect(scores[head]!.slice(0, 4).every(Number.isNaN)).toBe(true);
      expect(scores[head]!.slice(-56).every(Number.isNaN)).toBe(true);
      expect(scores[head]!.slice(4, 132).some(Number.isNaN)).toBe(false);
      const { faults } = compareChosen(
        { kept: [kept], scores: [scores[head]!] },
        { kept: [reference[head]!], scores: null },
        { tolerance: tolerances.cpu, segments: { start: 4, tokens: 32 } },
      );
      expect(faults).toEqual([]);
    });
  }
});

it('writes of a cache of mixtures the tokens that stand as themselves', async () => {
  const method = ['--method', 'freqkv', '--params', '{"cacheTokens":64,"sinkTokens":4,"recentTokens":8}'];
  const out = 'freqkv.safetensors';
  await succeed(out, 'select', '--capture', CAPTURE_FIXTURE, ...method, '--backend', 'cpu');
  const file = tensors(out);
  // 64 rows fill, then 26 tokens more each time: the cache is full at 64, 90, 116, 142 and 168, and the last 8 before stay themselves.
  const wanted = [0, 1, 2, 3, ...Array.from({ length: 32 }, (_, i) => 160 + i)];
  for (const layer of layers) {
    expect(sets(file, `kept.${layer}`)).toEqual([wanted]);
    expect(rows(file, `score.${layer}`)[0]!.every(Number.isNaN)).toBe(true);
  }
  expect(JSON.parse(file.metadata.parameters!)).toMatchObject({ retainedFraction: 0.5, positions: 'cache' });
});

it('writes every block of ESA, and the scores of its last', async () => {
  const name = 'esa@init4_local32_chunk40_k24_eps3';
  const file = await select(name, 'esa.safetensors', '--backend', 'cpu', '--all-blocks');
  expect(file.shape('blocks')).toEqual([5, 2]);
  expect(file.int32('blocks')).toEqual(expected.int32(`${name}.blocks`));
  for (const layer of layers) {
    const reference = expectedScores(`${name}.score.${layer}`);
    const scores = rows(file, `score.${layer}`);
    expect(scores[0]!.some(Number.isNaN) && !scores[0]!.every(Number.isNaN)).toBe(true);
    for (let block = 0; block < 5; block++) {
      const tensor = `${name}.kept.${layer}.${block}`;
      expect(file.shape(`kept.${layer}.${block}`)).toEqual(expected.shape(tensor));
    }
    expect(file.has(`kept.${layer}.5`)).toBe(false);
    expect(file.int32(`kept.${layer}`)).toEqual(file.int32(`kept.${layer}.4`));
    const wanted = { kept: expectedKept(`${name}.kept.${layer}`), scores: reference };
    // The file does not have what breaks the ties of ESA, which are nearly all; the reference breaks them alike.
    const kept = sets(file, `kept.${layer}`);
    expect(kept).toEqual(wanted.kept);
    const rules = { tolerance: tolerances.cpu, leastOutside: 0 };
    expect(compareChosen({ kept, scores }, wanted, rules).faults).toEqual([]);
  }
});

it('marks with NaN that nothing was scored, and writes no blocks unasked', async () => {
  const file = await select('esa@init4_local192_chunk32_k8_eps1', 'all.safetensors', '--backend', 'cpu');
  const everything = Array.from(inputs.int32('input_ids'), (_, token) => token);
  for (const layer of layers) {
    expect(file.shape(`score.${layer}`)).toEqual([1, 192]);
    expect(file.float32(`score.${layer}`).every(Number.isNaN)).toBe(true);
    expect(sets(file, `kept.${layer}`)).toEqual([everything]);
  }
  expect(file.names().filter((name) => /^blocks|^kept\.\d+\./.test(name))).toEqual([]);
});

it('has a set per key-value head in every layer, whether or not it drops something there', async () => {
  const params = JSON.stringify({ variant: 'kvpress', lagTokens: 32, keepFraction: [0, 0.5, 0.5, 1] });
  const method = ['--method', 'lagkv', '--params', params, '--backend', 'cpu', '--all-blocks'];
  await succeed('by-head.safetensors', 'select', '--capture', CAPTURE_FIXTURE, ...method);
  const file = tensors('by-head.safetensors');
  expect(layers.map((layer) => file.shape(`kept.${layer}`))).toEqual([
    [2, 0],
    [2, 96],
    [2, 96],
    [2, 192],
  ]);
  for (const layer of layers) {
    expect(file.shape(`kept.${layer}.0`)[0]).toBe(2);
    expect(file.shape(`score.${layer}`)).toEqual([2, 192]);
  }
});

it('takes one count per layer', async () => {
  const params = JSON.stringify({ keepFraction: [0.25, 0.5, 0.75, 1], sinkTokens: [0, 4, 8, 4] });
  const method = ['--method', 'streaming-llm', '--params', params, '--backend', 'cpu'];
  await succeed('by-layer.safetensors', 'select', '--capture', CAPTURE_FIXTURE, ...method);
  const file = tensors('by-layer.safetensors');
  expect(layers.map((layer) => file.shape(`kept.${layer}`)[1])).toEqual([48, 96, 144, 192]);
  expect(sets(file, 'kept.0')[0]![0]).toBe(144);
  expect(sets(file, 'kept.2')[0]!.slice(0, 9)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 56]);
});

describe('--layers', () => {
  const idsFile = write('ids.json', JSON.stringify(Array.from({ length: 96 }, (_, i) => (7 * i) % 128)));
  const model = ['--model', MODEL_FIXTURE, '--ids-file', idsFile, '--backend', 'cpu'];

  // A window, a choice taken over from the layer before, and scores of heads that the whole model is compared for.
  it.each([
    ['snapkv', {}],
    ['chunkkv', { reuseLayers: 2 }],
    ['duo-attention', {}],
  ])('writes of %s what all layers give, and nothing of others', async (method, params) => {
    const chosen = ['--method', method, '--params', JSON.stringify(params)];
    for (const source of [model, ['--capture', CAPTURE_FIXTURE, '--backend', 'cpu']]) {
      await succeed('whole.safetensors', 'select', ...source, ...chosen);
      await succeed('some.safetensors', 'select', ...source, ...chosen, '--layers', '1');
      const [whole, some] = [tensors('whole.safetensors'), tensors('some.safetensors')];
      expect(some.names().sort()).toEqual(['kept.1', 'score.1']);
      expect(some.int32('kept.1')).toEqual(whole.int32('kept.1'));
      expect(some.float32('score.1')).toEqual(whole.float32('score.1'));
    }
  });

  it('refuses a layer that is not there', async () => {
    const out = ['--out', path('none.safetensors')];
    const sentence = /^There is no layer 3 in this source; it has 0, 1, 2\.$/m;
    await fail(sentence, 'select', ...model, '--method', 'full', '--layers', '0,3', ...out);
  });
});
