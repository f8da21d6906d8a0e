import { describe, expect, test } from 'vitest';
import { type ModelConfig, parseConfig } from '../../src/model/config';
import type { SafetensorsFile } from '../../src/model/safetensors';
import type { TensorSource } from '../../src/model/tensor-source';
import { type DecoderWeights, readWeights } from '../../src/model/weights';
import { UserError } from '../../src/user-error';
import { fileJson, fixtureTensors, modelFixtures } from './files';

interface Fixture {
  config: ModelConfig;
  source: SafetensorsFile;
  weights: DecoderWeights;
}

function fixture(name: string): Fixture {
  const config = parseConfig(fileJson(`tests/fixtures/${name}/config.json`));
  const source = fixtureTensors(`${name}/model.safetensors`);
  return { config, source, weights: readWeights(source, config) };
}

/** The source under other names: `rename` gives the stored name, or null where the tensor is hidden. */
function renamed(source: TensorSource, rename: (name: string) => string | null): TensorSource {
  const stored = (name: string) => rename(name) ?? 'no such tensor';
  return {
    names: () => source.names(),
    has: (name) => source.has(stored(name)),
    shape: (name) => source.shape(stored(name)),
    float32: (name) => source.float32(stored(name)),
    int32: (name) => source.int32(stored(name)),
  };
}

describe.each(modelFixtures)('weights of %s', (name) => {
  test('embedding (and position) of the input ids is the fixture’s hidden.0', () => {
    const { config, weights } = fixture(name);
    const expected = fixtureTensors(`${name}/expected.safetensors`);
    const ids = expected.int32('input_ids');
    const hidden = expected.float32('hidden.0');
    const embedding = weights.embedding();
    const positions = weights.positions();
    expect(positions === null).toBe(config.architecture !== 'gpt2');
    for (const [token, id] of ids.entries()) {
      for (let channel = 0; channel < config.hiddenSize; channel++) {
        const position = positions?.[token * config.hiddenSize + channel] ?? 0;
        const value = embedding[id * config.hiddenSize + channel] + position;
        expect(Math.abs(value - hidden[token * config.hiddenSize + channel])).toBeLessThan(1e-6);
      }
    }
  });

  test('normalization, key and value maps of layer 0 give the fixture’s value.0', () => {
    const { config, weights } = fixture(name);
    const expected = fixtureTensors(`${name}/expected.safetensors`);
    const hidden = expected.float32('hidden.0');
    const values = expected.float32('value.0');
    const tokens = expected.shape('hidden.0')[0];
    const { inputNorm, value } = weights.layer(0);
    const largest = Math.max(...values.map(Math.abs));
    for (const token of [0, 1, tokens - 1]) {
      const row = normalized(hidden.subarray(token * config.hiddenSize, (token + 1) * config.hiddenSize));
      for (let channel = 0; channel < value.outputs; channel++) {
        let sum = value.bias?.[channel] ?? 0;
        for (let i = 0; i < value.inputs; i++) sum += value.weight[channel * value.inputs + i] * row[i];
        const head = Math.floor(channel / config.headDimension);
        const at = (head * tokens + token) * config.headDimension + (channel % config.headDimension);
        expect(Math.abs(sum - values[at])).toBeLessThan(1e-5 * largest);
      }
    }

    function normalized(row: Float32Array): number[] {
      const { kind, epsilon } = config.normalization;
      const mean = kind === 'layer' ? row.reduce((sum, x) => sum + x, 0) / row.length : 0;
      const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
      return Array.from(
        row,
        (x, i) =>
          ((x - mean) / Math.sqrt(variance + epsilon)) * inputNorm.weight[i] + (inputNorm.bias?.[i] ?? 0),
      );
    }
  });

  test('every layer has its parts, and a tied head is the same array as the embedding', () => {
    const { config, weights } = fixture(name);
    for (let index = 0; index < config.layers; index++) {
      const layer = weights.layer(index);
      expect(layer.query.outputs).toBe(config.queryHeads * config.headDimension);
      expect(layer.key.outputs).toBe(config.keyValueHeads * config.headDimension);
      expect(layer.query.bias !== null).toBe(config.biases.queryKeyValue);
      expect(layer.output.bias !== null).toBe(config.biases.attentionOutput);
      expect(layer.gate !== null).toBe(config.activation === 'silu-gate');
      expect(layer.queryNorm?.weight.length ?? null).toBe(config.queryKeyNorm ? config.headDimension : null);
    }
    expect(weights.head().length).toBe(config.vocabularySize * config.hiddenSize);
    expect(weights.head() === weights.embedding()).toBe(config.tiedHead);
  });

  test('names without the prefix are found too', () => {
    const { config, source, weights } = fixture(name);
    const prefix = name === 'gpt2' ? 'transformer.' : 'model.';
    const bare = readWeights(
      renamed(source, (asked) => {
        if (asked === 'lm_head.weight') return asked;
        return asked.startsWith(prefix) ? null : prefix + asked;
      }),
      config,
    );
    expect(bare.layer(1).down.weight).toEqual(weights.layer(1).down.weight);
  });

  test('each missing tensor is named', () => {
    const { config, source } = fixture(name);
    for (const missing of source.names()) {
      const read = () =>
        readWeights(
          renamed(source, (asked) => (asked === missing ? null : asked)),
          config,
        );
      expect(read).toThrow(UserError);
      expect(read).toThrow(/^The model's weights lack tensor "[\w.]+"; its config.json calls for it.$/);
    }
  });
});

test('a wrong shape is named with what was expected and found', () => {
  const { config, source } = fixture('llama-gqa');
  expect(() => readWeights(source, { ...config, feedForwardSize: 100 })).toThrow(
    new UserError(
      'Tensor "model.layers.0.mlp.gate_proj.weight" has shape [128, 64], but config.json calls for [100, 64].',
    ),
  );
});
