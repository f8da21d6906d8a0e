import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../src/model/capture/capture';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';
import { fixtureTensors } from '../model/files';
import { MODEL_FIXTURE, openCommandLine, worstDifference } from './keyhole';

const { path, write, succeed, fail, tensors, keyhole } = openCommandLine();
const expected = fixtureTensors('llama-gqa/expected.safetensors');
const ids = [...expected.int32('input_ids')];
const idsFile = write('ids.json', JSON.stringify(ids));
const source = ['--model', MODEL_FIXTURE, '--ids-file', idsFile];

describe.each([
  ['cpu', 1e-4],
  ['webgpu', 1e-3],
] as const)('forward on %s', (backend, tolerance) => {
  const out = `forward-${backend}.safetensors`;

  it('gives PyTorch’s logits and hidden states', async () => {
    const { stdout } = await succeed(out, 'forward', ...source, '--backend', backend);
    expect(stdout).toBe('');
    const file = tensors(out);
    expect(file.shape('logits')).toEqual([96, 128]);
    expect(worstDifference(file.float32('logits'), expected.float32('logits'))).toBeLessThan(tolerance);
    for (let i = 0; i <= 3; i++) {
      const name = `hidden.${i}`;
      expect(file.shape(name)).toEqual([96, 64]);
      expect(worstDifference(file.float32(name), expected.float32(name)), name).toBeLessThan(tolerance);
    }
    expect(file.has('hidden.4')).toBe(false);
  });

  it('writes a capture', async () => {
    const capture = await readCapture(tensors(out));
    expect(capture).toMatchObject({
      layers: 3,
      presentLayers: [0, 1, 2],
      tokens: 96,
      queryHeads: 4,
      keyValueHeads: 2,
      headDimension: 16,
      attentionScale: 0.25,
      positionOffset: 0,
      answerStart: null,
      trainedTokens: 2048,
      model: 'llama-gqa',
      unrotatedMissing: null,
      notices: [],
    });
    expect([...capture.inputIds!]).toEqual(ids);
    expect(tensors(out).metadata).toMatchObject({ format: 'keyhole-capture-1', layers: '3' });
    for (const layer of capture.presentLayers) {
      const { key, value, keyUnrotated } = await capture.layer(layer);
      expect(worstDifference(key, expected.float32(`key.${layer}`))).toBeLessThan(tolerance);
      expect(worstDifference(value, expected.float32(`value.${layer}`))).toBeLessThan(tolerance);
      // Token 0 stands at position 0, where rotation changes nothing; token 1 does not.
      expect([...keyUnrotated!.subarray(0, 16)]).toEqual([...key.subarray(0, 16)]);
      expect(worstDifference(keyUnrotated!.subarray(16, 32), key.subarray(16, 32))).toBeGreaterThan(0.01);
    }
  });
});

it('writes a capture that selects what the model itself selects', async () => {
  const lengths = { initTokens: 4, localTokens: 16, chunkTokens: 16, selectedTokens: 8, globalPosition: 16 };
  const params = JSON.stringify({ projection: 'exact', proximity: 1, ...lengths });
  const esa = ['select', '--backend', 'cpu', '--method', 'esa', '--params', params, '--all-blocks'];
  await succeed('forward.safetensors', 'forward', ...source, '--backend', 'cpu');
  await Promise.all([
    succeed('by-model.safetensors', ...esa, ...source),
    succeed('by-capture.safetensors', ...esa, '--capture', path('forward.safetensors')),
  ]);
  const [byModel, byCapture] = [tensors('by-model.safetensors'), tensors('by-capture.safetensors')];
  expect(byCapture.names()).toEqual(byModel.names());
  expect(byModel.names()).toContain('kept.2.5');
  for (const name of byModel.names()) {
    expect(byCapture.shape(name), name).toEqual(byModel.shape(name));
    if (name.startsWith('score.')) expect(byCapture.float32(name), name).toEqual(byModel.float32(name));
    else expect(byCapture.int32(name), name).toEqual(byModel.int32(name));
  }
});

it('writes with --last the logits of the last token alone, and the layers that are asked for', async () => {
  await succeed('all.safetensors', 'forward', ...source, '--backend', 'cpu');
  await succeed('last.safetensors', 'forward', ...source, '--backend', 'cpu', '--last');
  await succeed('layer.safetensors', 'forward', ...source, '--backend', 'cpu', '--last', '--layers', '1');
  const [all, last, layer] = ['all', 'last', 'layer'].map((name) => tensors(`${name}.safetensors`));
  expect(last!.names().sort()).toEqual(['input_ids', 'logits']);
  expect(last!.metadata).toEqual({ model: 'llama-gqa' });
  for (const file of [last!, layer!]) {
    expect(file.shape('logits')).toEqual([1, 128]);
    // One row and many are multiplied in different orders.
    expect(worstDifference(file.float32('logits'), all!.float32('logits').slice(95 * 128))).toBeLessThan(
      1e-5,
    );
  }
  expect(await readCapture(layer!)).toMatchObject({ layers: 3, presentLayers: [1] });
  expect(layer!.names().some((name) => name.startsWith('hidden'))).toBe(false);
  expect(layer!.float32('key_unrotated.1')).toEqual(all!.float32('key_unrotated.1'));
});

it('puts the beginning token before a text', async () => {
  const text = write('text.txt', 'The harbour was quiet in the morning.');
  await succeed(
    'text.safetensors',
    'forward',
    '--backend',
    'cpu',
    '--model',
    'samples/model',
    '--text',
    text,
  );
  const capture = await readCapture(tensors('text.safetensors'));
  expect(capture.inputIds?.[0]).toBe(0);
  expect(capture.tokenTexts?.slice(1).join('')).toContain('harbour was quiet');
  const rest = write('rest.json', JSON.stringify([...capture.inputIds!]));
  await succeed(
    'same.safetensors',
    'forward',
    '--backend',
    'cpu',
    '--model',
    'samples/model',
    '--ids-file',
    rest,
  );
  expect(tensors('same.safetensors').float32('logits')).toEqual(
    tensors('text.safetensors').float32('logits'),
  );
});

it('replaces an older file', async () => {
  write('again.safetensors', 'something else');
  await succeed('again.safetensors', 'forward', ...source, '--backend', 'cpu');
  expect(tensors('again.safetensors').has('logits')).toBe(true);
});

it('says what it can do when asked for help, and without a verb', async () => {
  for (const args of [['help'], ['-h'], []]) {
    const { code, stdout, stderr } = await keyhole(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const verb of ['forward', 'select', 'sweep', 'evaluate']) expect(stdout).toContain(`\n  ${verb} `);
  }
  for (const args of [
    ['sweep', '--help'],
    ['sweep', '--keep', '1', '-h'],
    ['help', 'sweep'],
  ]) {
    const { code, stdout } = await keyhole(...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^keyhole sweep \(--capture FILE/);
    expect(stdout).toContain('\n  --layers 0,1,…');
  }
});

it('fails where standard output is full, and does not where its reader has left', async () => {
  expect(await keyhole.shell('"$KEYHOLE" "$PROGRAM" help > /dev/full')).toEqual({
    code: 1,
    stdout: '',
    stderr: 'Standard output cannot be written: there is no space left.\n',
  });
  expect(await keyhole.shell('set -o pipefail; "$KEYHOLE" "$PROGRAM" help | true')).toMatchObject({
    code: 0,
    stderr: '',
  });
});

it('says which numbers of a model are none, and writes nothing', async () => {
  const file = fixtureTensors('llama-gqa/model.safetensors');
  // Finite, but what they make is not: the product of gate and up in the second layer.
  const tensors = Object.fromEntries(
    file.names().map((name) => {
      const grow = /layers\.1\.mlp\.(gate|up)_proj/.test(name) ? 1e22 : 1;
      const data = file.float32(name).map((x) => grow * x);
      return [name, { dtype: 'F32' as const, shape: file.shape(name), data }];
    }),
  );
  const folder = path('overflowing');
  mkdirSync(folder);
  copyFileSync('tests/fixtures/llama-gqa/config.json', `${folder}/config.json`);
  writeFileSync(`${folder}/model.safetensors`, writeSafetensors(tensors));
  const given = [
    '--model',
    folder,
    '--ids-file',
    write('few.json', '[1, 2, 3, 4, 5, 6, 7, 8]'),
    '--backend',
    'cpu',
  ];
  const out = ['--out', path('none.safetensors')];
  const sentence = /^After layer 1 of 3 the hidden states are not finite|^In layer \d the .* are not finite/;
  await fail(sentence, 'forward', ...given, ...out);
  await fail(sentence, 'select', ...given, '--method', 'full', ...out);
  await fail(sentence, 'sweep', ...given, '--methods', 'full', '--keep', '1', ...out);
});

it('reads a text as the tokenizer does, with and without its start token', async () => {
  const text = write('start.txt', 'The lamp.');
  const idsOf = async (...flags: string[]) => {
    await succeed('start.safetensors', 'forward', '--model', 'samples/model', '--text', text, ...flags);
    return [...tensors('start.safetensors').int32('input_ids')];
  };
  const usual = await idsOf();
  expect(usual[0]).toBe(0);
  expect(await idsOf('--start-token')).toEqual(usual);
  expect(await idsOf('--no-start-token')).toEqual(usual.slice(1));
});
