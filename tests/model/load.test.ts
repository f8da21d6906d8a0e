import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { bytesInMemory } from '../../src/model/files/file-bytes';
import { httpFolder } from '../../src/model/files/folder-http';
import { nodeFolder } from '../../src/model/files/folder-node';
import { readSafetensors } from '../../src/model/files/safetensors';
import { writeSafetensors } from '../../src/model/files/safetensors-writer';
import { loadModel, type ModelFolder } from '../../src/model/load';
import { fetchFile } from './fetch-file';
import { fileBytes, modelFixtures } from './files';

const root = resolve(import.meta.dirname, '../..');
const text = (value: unknown) =>
  new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));

/** A folder in memory; files that are null are missing. */
function memoryFolder(files: Record<string, Uint8Array | null>): ModelFolder {
  return {
    name: 'some-model',
    open: async (path) => (files[path] ? bytesInMemory(path, new Uint8Array(files[path])) : null),
  };
}

const config = fileBytes('tests/fixtures/llama-gqa/config.json');
const weights = fileBytes('tests/fixtures/llama-gqa/model.safetensors');
const tokenizer = fileBytes('samples/model/tokenizer.json');

const pointer = text('version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea\nsize 134515008\n');

/** The fixture's weights in two shards, and their index. */
function shards(): Record<string, Uint8Array> {
  const whole = readSafetensors(weights);
  const names = whole.names();
  const half = Math.ceil(names.length / 2);
  const file = (part: string[]) =>
    writeSafetensors(
      Object.fromEntries(
        part.map((name) => [name, { dtype: 'F32', shape: whole.shape(name), data: whole.float32(name) }]),
      ),
    );
  const map = names.map((name, i) => [name, i < half ? 'model-1.safetensors' : 'model-2.safetensors']);
  return {
    'model-1.safetensors': file(names.slice(0, half)),
    'model-2.safetensors': file(names.slice(half)),
    'model.safetensors.index.json': text({ weight_map: Object.fromEntries(map) }),
  };
}

describe('from disk', () => {
  test.each(modelFixtures)('%s', async (name) => {
    const model = await loadModel(nodeFolder(join(root, 'tests/fixtures', name)));
    expect(model).toMatchObject({ name, tokenizer: null, calibration: null });
    expect(model.config.layers).toBe(3);
    expect(await model.digest).toMatch(/^[0-9a-f]{16}$/);
  });

  test('the bundled model, which begins and ends sequences as its config says', async () => {
    const model = await loadModel(nodeFolder(join(root, 'samples/model')));
    expect(model.tokenizer?.vocabularySize).toBe(model.config.vocabularySize);
    expect(model.tokenizer?.startToken).toBe(model.config.bosToken);
    expect(model.tokenizer?.endOfSequence).toEqual(model.config.eosTokens);
  });

  test('a folder that is not there', async () => {
    await expect(loadModel(nodeFolder('/no/such/folder'))).rejects.toThrow(
      new UserError('folder is no model folder: it has no config.json and no GGUF file.'),
    );
  });

  test('a file that cannot be read', async () => {
    await expect(nodeFolder(root).open('tests')).rejects.toThrow(/tests" cannot be read: EISDIR.$/);
  });

  test('an empty file', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keyhole-'));
    await writeFile(join(folder, 'config.json'), '');
    await expect(loadModel(nodeFolder(folder))).rejects.toThrow('config.json is not JSON');
    await rm(folder, { recursive: true });
  });
});

describe('from the network', () => {
  const files: Record<string, Uint8Array> = {
    '/model/config.json': config,
    '/model/model.safetensors': weights,
    '/model/tokenizer-x1y2.json': tokenizer,
  };
  let server: Server;
  let address: string;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const body = files[request.url ?? ''];
      if (body) response.end(body);
      else if (request.url?.startsWith('/page/'))
        response.setHeader('content-type', 'text/html').end('<!doctype html>');
      else response.writeHead(request.url?.startsWith('/broken/') ? 500 : 404).end();
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  });

  test.each(['/model', '/model/'])('under an address that ends as in %s', async (path) => {
    const model = await loadModel(httpFolder('net', address + path, fetchFile));
    const onDisk = await loadModel(nodeFolder(join(root, 'tests/fixtures/llama-gqa')));
    expect(model.name).toBe('net');
    expect(await model.digest).toBe(await onDisk.digest);
    expect(model.tokenizer).toBe(null);
  });

  test('file by file', async () => {
    const model = await loadModel(
      httpFolder(
        'net',
        {
          'config.json': `${address}/model/config.json`,
          'model.safetensors': `${address}/model/model.safetensors`,
          'tokenizer.json': `${address}/model/tokenizer-x1y2.json`,
        },
        fetchFile,
      ),
    );
    expect(model.tokenizer?.vocabularySize).toBe(2048);
  });

  test('a page instead of a file is no file', async () => {
    expect(await httpFolder('net', `${address}/page`, fetchFile).open('config.json')).toBe(null);
  });

  test('a failing server, and none at all, are told in a sentence', async () => {
    await expect(loadModel(httpFolder('net', `${address}/broken`, fetchFile))).rejects.toThrow(
      new UserError(
        `config.json could not be fetched from "${address}/broken/config.json": the server answered 500.`,
      ),
    );
    await expect(httpFolder('net', 'http://127.0.0.1:1', fetchFile).open('config.json')).rejects.toThrow(
      new UserError(
        'config.json could not be fetched from "http://127.0.0.1:1/config.json"; check the address and connection.',
      ),
    );
  });
});

describe('a tokenizer that cannot be used', () => {
  test.each([
    ['of another kind', { 'tokenizer.json': text({}) }, 'tokenizer.json is damaged: it has no model.'],
    [
      'with settings that are a list',
      { 'tokenizer.json': tokenizer, 'tokenizer_config.json': text([]) },
      'tokenizer_config.json is damaged: its special tokens are not text.',
    ],
    [
      'that Git has not fetched',
      { 'tokenizer.json': pointer },
      'tokenizer.json is a Git LFS pointer instead of the file itself; fetch it with "git lfs pull", or download it.',
    ],
    ['that is not there', {}, 'some-model has no tokenizer.json, so it cannot read text; add the file.'],
  ])('%s leaves the model, which reads token ids, and says why', async (_, files, sentence) => {
    const folder = memoryFolder({ 'config.json': config, 'model.safetensors': weights, ...files });
    const model = await loadModel(folder);
    expect(model.tokenizer).toBe(null);
    expect(model.noTokenizer).toBe(sentence);
  });
});

test('NaN and Infinity, as Python writes them, matter only where a number is needed', async () => {
  const load = (name: string, value: string) => {
    const settings = new TextDecoder()
      .decode(config)
      .replace(new RegExp(`"${name}": [^,]+,`), `"${name}": ${value},`);
    const written = settings.replace('{', '{"note": "NaN \\"Infinity", "low": -Infinity,');
    return loadModel(memoryFolder({ 'config.json': text(written), 'model.safetensors': weights }));
  };
  expect((await load('initializer_range', 'NaN')).config.layers).toBe(3);
  await expect(load('rms_norm_eps', 'NaN')).rejects.toThrow(
    'rms_norm_eps must be a number from 0 to 1, but is "NaN"',
  );
  await expect(load('rms_norm_eps', 'Nein')).rejects.toThrow('config.json is not JSON');
});

describe('weights in shards', () => {
  test('are the same weights', async () => {
    const whole = await loadModel(memoryFolder({ 'config.json': config, 'model.safetensors': weights }));
    const parts = await loadModel(memoryFolder({ 'config.json': config, ...shards() }));
    expect(parts.source.names().sort()).toEqual(whole.source.names().sort());
    for (const name of whole.source.names())
      expect(parts.source.float32(name)).toEqual(whole.source.float32(name));
    expect(await parts.digest).not.toBe(await whole.digest);
  });

  test('with one missing', async () => {
    const folder = memoryFolder({ 'config.json': config, ...shards(), 'model-2.safetensors': null });
    await expect(loadModel(folder)).rejects.toThrow(
      new UserError('some-model lacks "model-2.safetensors", which its index names.'),
    );
  });
});

describe('the digest', () => {
  const digest = async (files: Record<string, Uint8Array>) =>
    (await loadModel(memoryFolder({ 'config.json': config, 'model.safetensors': weights, ...files }))).digest;

  test('changes with the weights and the config, not with the tokenizer', async () => {
    const changed = weights.slice();
    changed[changed.length - 1]! ^= 1;
    const same = await digest({});
    expect(await digest({ 'tokenizer.json': tokenizer })).toBe(same);
    expect(await digest({ 'model.safetensors': changed })).not.toBe(same);
    expect(await digest({ 'config.json': text(`${new TextDecoder().decode(config)} `) })).not.toBe(same);
  });
});

describe('damaged folders are refused in a sentence', () => {
  const calibration = writeSafetensors({}, { format: 'keyhole-calibration-0' });
  test.each<[string, Record<string, Uint8Array | null>, string]>([
    ['no config', { 'config.json': null }, 'some-model is no model folder: it has no config.json.'],
    [
      'no weights',
      { 'model.safetensors': null },
      'some-model has neither model.safetensors nor model.safetensors.index.json',
    ],
    [
      'a config that is not JSON',
      { 'config.json': text('{') },
      'config.json is not JSON: it is damaged or another file.',
    ],
    [
      'weights that are text',
      { 'model.safetensors': text('version https://git-lfs') },
      'model.safetensors declares a header of',
    ],
    [
      'an old calibration',
      { 'keyhole-calibration.safetensors': calibration },
      'keyhole-calibration.safetensors has format "keyhole-calibration-0"',
    ],
  ])('%s', async (_, files, sentence) => {
    const folder = memoryFolder({ 'config.json': config, 'model.safetensors': weights, ...files });
    const failure = await loadModel(folder).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(UserError);
    expect((failure as Error).message).toContain(sentence);
  });
});
