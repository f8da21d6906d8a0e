import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/user-error';
import type { ModelConfig } from '../../src/model/architectures/config';
import { parseConfig } from '../../src/model/architectures/parse-config';
import { fileJson } from './files';

const llama = fileJson('tests/fixtures/llama-gqa/config.json');
const qwen2 = fileJson('tests/fixtures/qwen2-bias/config.json');
const qwen3 = fileJson('tests/fixtures/qwen3-qknorm/config.json');
const gpt2 = fileJson('tests/fixtures/gpt2/config.json');

const without = (settings: object, ...names: string[]) =>
  Object.fromEntries(Object.entries(settings).filter(([name]) => !names.includes(name)));

describe('the fixtures', () => {
  const common: ModelConfig = {
    architecture: 'llama',
    layers: 3,
    hiddenSize: 64,
    queryHeads: 4,
    keyValueHeads: 2,
    headDimension: 16,
    feedForwardSize: 128,
    vocabularySize: 128,
    trainedTokens: 2048,
    normalization: { kind: 'rms', epsilon: 1e-5 },
    activation: 'silu-gate',
    rope: { kind: 'default', theta: 10000 },
    learnedPositions: false,
    biases: { queryKeyValue: false, attentionOutput: false, feedForward: false },
    queryKeyNorm: false,
    tiedHead: true,
    attentionScale: 0.25,
    bosToken: 1,
    eosTokens: [2],
  };
  const none = { bosToken: null, eosTokens: [] };
  const millionTheta = { kind: 'default', theta: 1e6 } as const;

  test.each<[string, object, ModelConfig]>([
    ['llama', llama, common],
    [
      'qwen2',
      qwen2,
      {
        ...common,
        ...none,
        architecture: 'qwen2',
        rope: millionTheta,
        biases: { queryKeyValue: true, attentionOutput: false, feedForward: false },
        tiedHead: false,
      },
    ],
    [
      'qwen3',
      qwen3,
      {
        ...common,
        ...none,
        architecture: 'qwen3',
        rope: millionTheta,
        headDimension: 32,
        queryKeyNorm: 'heads',
        attentionScale: 1 / Math.sqrt(32),
      },
    ],
    [
      'gpt2: its token ids lie outside its vocabulary and are left out',
      gpt2,
      {
        ...common,
        ...none,
        architecture: 'gpt2',
        keyValueHeads: 4,
        feedForwardSize: 256,
        trainedTokens: 1024,
        normalization: { kind: 'layer', epsilon: 1e-5 },
        activation: 'gelu-tanh',
        rope: null,
        learnedPositions: true,
        biases: { queryKeyValue: true, attentionOutput: true, feedForward: true },
      },
    ],
  ])('%s', async (_, settings, expected) => expect(await parseConfig(settings)).toEqual(expected));
});

describe('rotary positions', () => {
  const bare = without(llama, 'rope_parameters');
  const llama3 = {
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };

  test.each<[string, object, object]>([
    ['default', { rope_theta: 5e5 }, { rope_theta: 5e5, rope_type: 'default' }],
    [
      'linear',
      { rope_theta: 1e4, rope_scaling: { type: 'linear', factor: 2 } },
      { rope_theta: 1e4, rope_type: 'linear', factor: 2 },
    ],
    [
      'llama3',
      { rope_theta: 5e5, rope_scaling: { rope_type: 'llama3', ...llama3 } },
      { rope_theta: 5e5, rope_type: 'llama3', ...llama3 },
    ],
    [
      'yarn',
      { rope_theta: 1e6, rope_scaling: { type: 'yarn', factor: 4, original_max_position_embeddings: 32768 } },
      { rope_theta: 1e6, rope_type: 'yarn', factor: 4, original_max_position_embeddings: 32768 },
    ],
  ])('%s is the same in both spellings', async (kind, older, newer) => {
    const { rope } = await parseConfig({ ...bare, ...older });
    expect(rope?.kind).toBe(kind);
    expect(rope?.theta).toBe((newer as { rope_theta: number }).rope_theta);
    expect((await parseConfig({ ...bare, rope_parameters: newer })).rope).toEqual(rope);
  });

  test('without any settings, theta is 10,000', async () => {
    expect((await parseConfig(bare)).rope).toEqual({ kind: 'default', theta: 10000 });
    expect((await parseConfig({ ...bare, rope_scaling: null })).rope).toEqual({
      kind: 'default',
      theta: 10000,
    });
  });

  test('yarn without its original length takes the config’s, and without its factor the ratio of the two', async () => {
    const yarn = async (more: object) =>
      (await parseConfig({ ...bare, rope_scaling: { rope_type: 'yarn', ...more } })).rope;
    expect(await yarn({ factor: 4 })).toMatchObject({ originalTokens: 2048, factor: 4 });
    expect(await yarn({ original_max_position_embeddings: 512 })).toMatchObject({
      originalTokens: 512,
      factor: 4,
    });
  });
});

test('ids of −1 stand for none', async () => {
  const config = await parseConfig({
    ...llama,
    bos_token_id: -1,
    eos_token_id: [-1, 2],
    pad_token_id: -1,
    is_causal: true,
  });
  expect(config).toMatchObject({ bosToken: null, eosTokens: [2] });
});

describe('defaults are those of transformers', () => {
  test('as many key-value heads as query heads, heads that share the hidden size, an untied head', async () => {
    const config = await parseConfig(
      without(llama, 'num_key_value_heads', 'head_dim', 'tie_word_embeddings', 'rms_norm_eps'),
    );
    expect(config).toMatchObject({ keyValueHeads: 4, headDimension: 16, tiedHead: false });
    expect(config.normalization.epsilon).toBe(1e-6);
  });

  test('biases', async () => {
    expect((await parseConfig({ ...llama, attention_bias: true, mlp_bias: true })).biases).toEqual({
      queryKeyValue: true,
      attentionOutput: true,
      feedForward: true,
    });
    expect((await parseConfig({ ...qwen2, attention_bias: true })).biases.attentionOutput).toBe(false);
  });

  test('the architecture by name where there is no model_type', async () => {
    const named = { ...without(qwen3, 'model_type'), architectures: ['Qwen3ForCausalLM'] };
    expect((await parseConfig(named)).architecture).toBe('qwen3');
  });

  test('several end-of-sequence tokens', async () => {
    expect((await parseConfig({ ...llama, eos_token_id: [2, 5, 9999] })).eosTokens).toEqual([2, 5]);
  });

  test('GPT-2 without scaled attention, and with the exact GELU', async () => {
    expect((await parseConfig({ ...gpt2, scale_attn_weights: false })).attentionScale).toBe(1);
    expect((await parseConfig({ ...gpt2, activation_function: 'gelu' })).activation).toBe('gelu');
  });

  test('a sliding window that no layer uses is no hindrance', async () => {
    const unused = [
      { use_sliding_window: false, sliding_window: 4096, layer_types: null },
      { use_sliding_window: true, sliding_window: 4096, layer_types: null, max_window_layers: 3 },
      { use_sliding_window: true, sliding_window: null, layer_types: null, max_window_layers: 0 },
    ];
    for (const settings of unused)
      expect((await parseConfig({ ...qwen2, ...settings })).architecture).toBe('qwen2');
  });
});

const SUPPORTED =
  'supported architectures are llama, mistral, qwen2, qwen3, smollm3, phi3, gemma2, gemma3, granite, olmo2, gpt_neox and gpt2.';

describe('what cannot be run faithfully is refused in a sentence', () => {
  test.each<[string, unknown, string]>([
    ['no object', [], 'config.json must hold a JSON object with the settings of a model.'],
    [
      'another architecture',
      { ...llama, model_type: 'mamba' },
      `config.json names "mamba", which has layers without attention; ${SUPPORTED}`,
    ],
    ['no architecture', {}, `config.json names no architecture; ${SUPPORTED}`],
    ['no causal mask', { ...llama, is_causal: false }, 'config.json: is_causal is false, so every token'],
    [
      'a layer type that is a list',
      { ...qwen3, layer_types: [['full_attention']] },
      'config.json: layer_types.0 must be one of full_attention, sliding_attention, but is ["full_attention"].',
    ],
    [
      'a number that JSON does not have',
      { ...llama, rope_theta: Number.NaN },
      'config.json: rope_theta must be a number from 1 to 1000000000000, but is NaN.',
    ],
    [
      'a size that is nested deep',
      { ...llama, vocab_size: JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) },
      'config.json: vocab_size must be a whole number from 1 to 16777216, but is nested too deep.',
    ],
    [
      'a similar architecture',
      { ...llama, model_type: 'qwen3_moe' },
      'config.json names "qwen3_moe", which has feed-forward blocks of experts; supported',
    ],
    [
      'a missing size',
      without(llama, 'hidden_size'),
      'config.json: hidden_size must be a whole number from 1 to 131072, but is missing.',
    ],
    [
      'half a layer',
      { ...llama, num_hidden_layers: 0.5 },
      'config.json: num_hidden_layers must be a whole number from 1 to 1024, but is 0.5.',
    ],
    [
      'a number as text',
      { ...llama, vocab_size: '128' },
      'config.json: vocab_size must be a whole number from 1 to 16777216, but is "128".',
    ],
    [
      'too much',
      { ...gpt2, n_embd: 2 ** 40 },
      'n_embd must be a whole number from 1 to 131072, but is 1099511627776.',
    ],
    [
      'uneven groups',
      { ...llama, num_key_value_heads: 3 },
      'config.json has 4 query heads, which is no multiple of its 3 key-value heads.',
    ],
    [
      'uneven heads',
      { ...gpt2, n_head: 5 },
      'config.json has 64 hidden channels, which do not divide evenly among 5 heads.',
    ],
    [
      'an odd head',
      { ...llama, head_dim: 15 },
      'config.json has heads of 15 channels; rotary positions need an even number.',
    ],
    [
      'another activation',
      { ...llama, hidden_act: 'relu' },
      'hidden_act must be one of silu, swish, but is "relu".',
    ],
    [
      'an epsilon below 0',
      { ...llama, rms_norm_eps: -1 },
      'rms_norm_eps must be a number from 0 to 1, but is -1.',
    ],
    [
      'quantized weights',
      { ...llama, quantization_config: { bits: 4 } },
      'The model has quantized weights; use one with',
    ],
    [
      'sliding layer types without a window',
      { ...qwen3, layer_types: ['full_attention', 'sliding_attention', 'full_attention'] },
      'config.json: layer_types has sliding_attention, but there is no sliding_window.',
    ],
    [
      'layer types of too few layers',
      { ...qwen3, layer_types: ['full_attention'] },
      'config.json: layer_types has 1 entries for 3 layers.',
    ],
    [
      'scores scaled by layer',
      { ...gpt2, scale_attn_by_inverse_layer_idx: true },
      'scale_attn_by_inverse_layer_idx is not supported.',
    ],
    ['cross attention', { ...gpt2, add_cross_attention: true }, 'add_cross_attention is not supported.'],
    [
      'an unknown rotation',
      { ...llama, rope_parameters: { rope_type: 'spiral' } },
      'config.json: rope_parameters asks for rotary positions of type "spiral"; supported are default, linear, dynamic, llama3, yarn and longrope.',
    ],
    [
      'a partial rotation',
      { ...llama, partial_rotary_factor: 0.5 },
      'rotates only a part (0.5) of the channels, which is not supported.',
    ],
    [
      'rotations by layer',
      { ...llama, rope_parameters: { full_attention: { rope_theta: 1 } } },
      'differs between layers, which is not supported.',
    ],
    [
      'no factor',
      { ...llama, rope_scaling: { type: 'linear' } },
      'config.json: rope_scaling: factor must be a number from 1e-12 to 1000000000000, but is missing.',
    ],
    [
      'crossed factors',
      { ...llama, rope_scaling: { type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 1 } },
      'high_freq_factor must be greater than low_freq_factor.',
    ],
    [
      'a list as rotation',
      { ...llama, rope_parameters: [1] },
      'must be an object with the settings of the rotary positions.',
    ],
  ])('%s', async (_, settings, sentence) => {
    await expect(parseConfig(settings)).rejects.toThrow(UserError);
    await expect(parseConfig(settings)).rejects.toThrow(sentence);
  });
});
