import { describe, expect, test } from 'vitest';
import { createCpuOps } from '../../gpu/cpu';
import { UserError } from '../../src/base/user-error';
import type { ModelConfig } from '../../src/model/architectures/config';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { type FoundWeights, readWeights } from '../../src/model/architectures/weights';
import { createDecoder } from '../../src/model/decoder/decoder';
import { forward } from '../../src/model/decoder/forward';
import type { SafetensorsFile } from '../../src/model/files/safetensors';
import type { TensorSource } from '../../src/model/files/tensor-source';
import { fileJson, fixtureTensors, modelFixtures } from './files';

interface Fixture {
  config: ModelConfig;
  source: SafetensorsFile;
  weights: FoundWeights;
}

async function fixture(name: string): Promise<Fixture> {
  const config = await parseConfig(fileJson(`tests/fixtures/${name}/config.json`));
  const source = fixtureTensors(`${name}/model.safetensors`);
  return { config, source, weights: await readWeights(source, config) };
}

/** The source under other names: `rename` gives the stored name, or null where the tensor is hidden. */
function renamed(source: TensorSource, rename: (name: string) => string | null): TensorSource {
  const stored = (name: string) => rename(name) ?? 'no such tensor';
  return {
    names: () => source.names(),
    has: (name) => source.has(stored(name)),
    shape: (name) => source.shape(stored(name)),
    type: (name) => source.type(stored(name)),
    float32: (name) => source.float32(stored(name)),
    int32: (name) => source.int32(stored(name)),
  };
}

describe.each(modelFixtures)('weights of %s', (name) => {
  test('embedding (and position) of the input ids is the fixture’s hidden.0', async () => {
    const { config, weights } = await fixture(name);
    const expected = fixtureTensors(`${name}/expected.safetensors`);
    const ids = expected.int32('input_ids');
    const hidden = expected.float32('hidden.0');
    const embedding = await weights.embedding();
    const positions = await weights.positions();
    expect(positions === null).toBe(config.architecture !== 'gpt2');
    for (const [token, id] of ids.entries()) {
      for (let channel = 0; channel < config.hiddenSize; channel++) {
        const position = positions?.[token * config.hiddenSize + channel] ?? 0;
        const value = embedding[id * config.hiddenSize + channel]! + position;
        expect(Math.abs(value - hidden[token * config.hiddenSize + channel]!)).toBeLessThan(1e-6);
      }
    }
  });

  test('normalization, key and value maps of layer 0 give the fixture’s value.0', async () => {
    const { config, weights } = await fixture(name);
    const expected = fixtureTensors(`${name}/expected.safetensors`);
    const hidden = expected.float32('hidden.0');
    const values = expected.float32('value.0');
    const tokens = expected.shape('hidden.0')[0];
    const { inputNorm, value } = await weights.layer(0);
    const largest = Math.max(...values.map(Math.abs));
    for (const token of [0, 1, tokens! - 1]) {
      const row = normalized(hidden.subarray(token * config.hiddenSize, (token + 1) * config.hiddenSize));
      for (let channel = 0; channel < value.outputs; channel++) {
        let sum = value.bias?.[channel] ?? 0;
        for (let i = 0; i < value.inputs; i++) sum += value.weight[channel * value.inputs + i]! * row[i]!;
        const head = Math.floor(channel / config.headDimension);
        const at = (head * tokens! + token) * config.headDimension + (channel % config.headDimension);
        expect(Math.abs(sum - values[at]!)).toBeLessThan(1e-5 * largest);
      }
    }

    function normalized(row: Float32Array): number[] {
      const { kind, epsilon } = config.normalization;
      const mean = kind === 'layer' ? row.reduce((sum, x) => sum + x, 0) / row.length : 0;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
      return Array.from(
        row,
        (x, i) =>
          ((x - mean) / Math.sqrt(variance + epsilon)) * inputNorm!.weight[i]! + (inputNorm!.bias?.[i] ?? 0),
      );
    }
  });

  test('every layer has its parts, and a tied head is the same array as the embedding', async () => {
    const { config, weights } = await fixture(name);
    for (let index = 0; index < config.layers; index++) {
      const layer = await weights.layer(index);
      expect(layer.query.outputs).toBe(config.queryHeads * config.headDimension);
      expect(layer.key.outputs).toBe(config.keyValueHeads * config.headDimension);
      expect(layer.query.bias !== null).toBe(config.biases.queryKeyValue);
      expect(layer.output.bias !== null).toBe(config.biases.attentionOutput);
      expect(layer.gate !== null).toBe(config.activation === 'silu-gate');
      expect(layer.queryNorm?.weight.length ?? null).toBe(config.queryKeyNorm ? config.headDimension : null);
    }
    expect((await weights.head()).length).toBe(config.vocabularySize * config.hiddenSize);
    expect((await weights.head()) === (await weights.embedding())).toBe(config.tiedHead);
  });

  test('names without the prefix are found too', async () => {
    const { config, source, weights } = await fixture(name);
    const prefix = name === 'gpt2' ? 'transformer.' : 'model.';
    const bare = await readWeights(
      renamed(source, (asked) => {
        if (asked === 'lm_head.weight') return asked;
        return asked.startsWith(prefix) ? null : prefix + asked;
      }),
      config,
    );
    expect((await bare.layer(1)).down.weight).toEqual((await weights.layer(1)).down.weight);
  });

  test('each missing tensor is named', async () => {
    const { config, source } = await fixture(name);
    for (const missing of source.names()) {
      const read = () =>
        readWeights(
          renamed(source, (asked) => (asked === missing ? null : asked)),
          config,
        );
      await expect(read()).rejects.toThrow(UserError);
      await expect(read()).rejects.toThrow(
        /^The model's weights lack tensor "[\w.]+"; its config.json calls for it.$/,
      );
    }
  });
});

test('a wrong shape is named with what was expected and found', async () => {
  const { config, source } = await fixture('llama-gqa');
  await expect(readWeights(source, { ...config, feedForwardSize: 100 })).rejects.toThrow(
    new UserError(
      'Tensor "model.layers.0.mlp.gate_proj.weight" has shape [128, 64], but config.json calls for [100, 64].',
    ),
  );
});

/** The source with further tensors. */
function withMore(
  source: TensorSource,
  more: Record<string, { shape: number[]; data: Float32Array }>,
): TensorSource {
  return {
    names: () => [...source.names(), ...Object.keys(more)],
    has: (name) => name in more || source.has(name),
    shape: (name) => more[name]?.shape ?? source.shape(name),
    type: (name) => (name in more ? 'F32' : source.type(name)),
    float32: (name) => more[name]?.data ?? source.float32(name),
    int32: (name) => source.int32(name),
  };
}

describe.each(await Promise.all(modelFixtures.map(async (name) => ({ name, ...(await fixture(name)) }))))(
  'a head beside the embedding of $name',
  async ({ config, source, weights }) => {
    const embedding = await weights.embedding();
    const tied = { ...config, tiedHead: true };
    const shape = [config.vocabularySize, config.hiddenSize];

    test('that differs is used, whatever config.json says, and told', async () => {
      const data = embedding.map((value, i) => (i === 5 ? value + 1 : value));
      const found = await readWeights(withMore(source, { 'lm_head.weight': { shape, data } }), tied);
      expect(found.isTied).toBe(false);
      expect(await found.head()).toEqual(data);
      expect(found.notices).toEqual([
        'config.json says that the head is the embedding (tie_word_embeddings), but the files hold another lm_head.weight: that one is used.',
      ]);
    });

    test('that is the same is the embedding', async () => {
      const data = embedding.slice();
      const found = await readWeights(withMore(source, { 'lm_head.weight': { shape, data } }), tied);
      expect(found.isTied).toBe(true);
      expect(await found.head()).toBe(await found.embedding());
      expect(found.notices).toEqual([]);
    });

    test('and nothing else is no reason for a notice', async () => {
      expect(weights.notices).toEqual([]);
    });
  },
);

test('a tied config with another head gives the logits of transformers', async () => {
  const { ids, lastRow } = fileJson('tests/fixtures/tied-config-other-head/expected.json') as {
    ids: number[];
    lastRow: number[];
  };
  const { config, source } = await fixture('tied-config-other-head');
  const weights = await readWeights(source, config);
  const decoder = await createDecoder(createCpuOps(), { ...config, tiedHead: weights.isTied }, weights);
  const { logits, reader } = await forward(decoder, Uint32Array.from(ids));
  const last = logits.subarray(logits.length - config.vocabularySize);
  for (const [i, logit] of lastRow.entries()) expect(last[i]).toBeCloseTo(logit, 4);
  reader.release();
  decoder.release();
});

test('of a tied pair of which only the head is there, the embedding is asked for', async () => {
  const { config, source } = await fixture('tied-config-other-head');
  const alone = renamed(source, (name) => (name === 'model.embed_tokens.weight' ? null : name));
  await expect(readWeights(alone, config)).rejects.toThrow('lack tensor "model.embed_tokens.weight"');
});

test('weights that nothing reads are named, buffers are not', async () => {
  const { config, source } = await fixture('llama-gqa');
  const one = { shape: [1], data: Float32Array.of(1) };
  const named = async (...names: string[]) =>
    (await readWeights(withMore(source, Object.fromEntries(names.map((name) => [name, one]))), config))
      .notices;
  expect((await named('model.layers.0.self_attn.q_proj.bias'))[0]).toContain(
    '(model.layers.0.self_attn.q_proj.bias)',
  );
  expect((await named('a.sinks', 'b.lora_A.weight', 'c.q_norm.weight', 'd', 'e'))[0]).toContain(
    '(a.sinks, b.lora_A.weight, c.q_norm.weight and 2 more)',
  );
  expect(
    await named('model.layers.0.self_attn.rotary_emb.inv_freq', 'h.0.attn.bias', 'h.0.attn.masked_bias'),
  ).toEqual([]);
});
