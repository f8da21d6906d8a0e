import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { readWeights } from '../../src/model/architectures/weights';
import { fileJson, fixtureTensors, modelFixtures } from '../model/files';
import { allFinite, mutate, mutations, Outcomes, settings } from './fuzz';

const bases = modelFixtures.map((name) => ({
  config: fileJson(`tests/fixtures/${name}/config.json`),
  tensors: fixtureTensors(`${name}/model.safetensors`),
}));
const words = [
  'llama',
  'qwen2',
  'qwen3',
  'gpt2',
  'mistral',
  'yarn',
  'linear',
  'dynamic',
  'llama3',
  'gelu_new',
  'silu',
  'default',
];
const names = [
  'rope_scaling',
  'rope_parameters',
  'rope_theta',
  'head_dim',
  'num_key_value_heads',
  'sliding_window',
  'is_causal',
  'layer_types',
  'tie_word_embeddings',
];

test('a changed config.json is read to finite settings whose weights are found, or refused in one sentence', async () => {
  const outcomes = new Outcomes('configs');
  await fc.assert(
    fc.asyncProperty(
      fc.nat(bases.length - 1),
      mutations([...words, ...words.map((type) => ({ type, rope_type: type, factor: 4 }))], names),
      async (at, changes) => {
        const { config: base, tensors } = bases[at]!;
        const config = await outcomes.of(async () => {
          const parsed = await parseConfig(mutate(base, changes));
          await readWeights(tensors, parsed);
          return parsed;
        });
        if (config) expect(allFinite(config)).toBe(true);
      },
    ),
    settings,
  );
  outcomes.end();
}, 3_600_000);
