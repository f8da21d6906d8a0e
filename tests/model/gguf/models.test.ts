import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCpuOps } from '../../../gpu/cpu';
import { readWeights } from '../../../src/model/architectures/weights';
import { createDecoder } from '../../../src/model/decoder/decoder';
import { forward } from '../../../src/model/decoder/forward';
import { bytesInMemory, bytesOfBlob } from '../../../src/model/files/file-bytes';
import { nodeFolder } from '../../../src/model/files/folder-node';
import { ggufFolder, loadModel } from '../../../src/model/load';

const fixtures = new URL('../../fixtures/gguf/', import.meta.url).pathname;
const cases: Record<string, { ids: number[]; logits: string }> = JSON.parse(
  readFileSync(`${fixtures}models.json`, 'utf8'),
);

describe('models as llama.cpp stores them, against transformers', () => {
  it.each(Object.keys(cases))('%s', async (name) => {
    const { ids, logits } = cases[name]!;
    const bytes = Buffer.from(logits, 'base64');
    const expected = new Float32Array(new Uint8Array(bytes).buffer);
    const ops = createCpuOps();
    const file = readdirSync(fixtures).find(
      (each) => new RegExp(`^${name}[.-]`).test(each) && each.endsWith('.gguf'),
    )!;
    const model = await loadModel(nodeFolder(fixtures + file));
    const weights = await readWeights(model.source, model.config);
    const decoder = await createDecoder(ops, { ...model.config, tiedHead: weights.isTied }, weights);
    const found = (await forward(decoder, Uint32Array.from(ids))).logits;
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const difference = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - found[i]!)), 0);
    expect(found).toHaveLength(expected.length);
    expect(difference / largest).toBeLessThan(1e-5);
    expect(weights.notices).toEqual([]);
    ops.destroy();
  });

  it('are read from a file that a browser has as from disk', async () => {
    const whole = new Blob([readFileSync(`${fixtures}qwen3.gguf`)]);
    const model = await loadModel(ggufFolder('dropped', [bytesOfBlob('qwen3.gguf', whole)]));
    const onDisk = await loadModel(nodeFolder(`${fixtures}qwen3.gguf`));
    expect(model.config).toEqual(onDisk.config);
    expect(await model.digest).toBe(await onDisk.digest);
    expect(model.noTokenizer).toBe('dropped has no tokenizer, so it cannot read text.');
    const name = 'model.layers.1.mlp.down_proj.weight';
    expect(await model.source.float32(name)).toEqual(await onDisk.source.float32(name));
  });
});

describe('shards', () => {
  const shard = (number: number) => `qwen2-0000${number}-of-00003.gguf`;
  const bytesOf = (number: number) => {
    const bytes = new Uint8Array(readFileSync(fixtures + shard(number)));
    return bytesInMemory(shard(number), bytes);
  };

  it('are one model, whichever is named', async () => {
    const [first, second] = await Promise.all(
      [1, 2].map((number) => loadModel(nodeFolder(fixtures + shard(number)))),
    );
    expect(first!.source.names()).toHaveLength(26);
    expect(await second!.digest).toBe(await first!.digest);
  });

  it.each<[string, number[], string]>([
    ['one alone', [1], 'is one of 3 shards, and 1 are there: all have to be.'],
    ['another order', [2, 1, 3], 'is not the first of its shards'],
    ['one twice', [1, 2, 2], 'has tensor'],
  ])('%s are refused', async (_, numbers, sentence) => {
    await expect(loadModel(ggufFolder('m', numbers.map(bytesOf)))).rejects.toThrow(sentence);
  });
});

describe('a folder', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keyhole-gguf-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('with one GGUF file and no config.json is that model', async () => {
    const one = join(folder, 'one');
    await mkdir(one);
    await writeFile(join(one, 'README.md'), 'A model.');
    await copyFile(`${fixtures}llama.gguf`, join(one, 'llama.gguf'));
    const { config } = await loadModel(nodeFolder(one));
    expect(config.rope).toEqual({
      ...{ kind: 'llama3', theta: 500000, factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4 },
      originalTokens: 8192,
    });
  });

  it('with two does not say which', async () => {
    const two = join(folder, 'two');
    await mkdir(two);
    for (const name of ['llama', 'qwen3'])
      await copyFile(`${fixtures}${name}.gguf`, join(two, `${name}.gguf`));
    await expect(loadModel(nodeFolder(two))).rejects.toThrow(
      /two" holds 2 models as GGUF files; name the one that is meant\.$/,
    );
  });

  it('with a shard missing says which', async () => {
    const cut = join(folder, 'cut');
    await mkdir(cut);
    await copyFile(`${fixtures}llama.gguf`, join(cut, 'm-00001-of-00002.gguf'));
    await expect(loadModel(nodeFolder(cut))).rejects.toThrow(
      /cut" lacks its shard "m-00002-of-00002.gguf"\.$/,
    );
  });
});
