/** What rules other than Llama's make of a config.json: defaults of transformers, older spellings, and what they refuse. */
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { hidingWindow } from '../../src/model/architectures/config';
import { parseConfig } from '../../src/model/architectures/parse-config';

const sizes = {
  ...{ vocab_size: 99, hidden_size: 64, intermediate_size: 96, num_hidden_layers: 6 },
  ...{ num_attention_heads: 4, num_key_value_heads: 2 },
};
const read = (model_type: string, more: object = {}) => parseConfig({ model_type, ...sizes, ...more });
const WIDE = 4096;

describe('windows', () => {
  test('of Mistral are in all layers, unless sliding_window is null', async () => {
    expect((await read('mistral')).windows).toEqual(new Array(6).fill(WIDE));
    expect((await read('mistral', { sliding_window: 8 })).windows).toEqual(new Array(6).fill(8));
    expect((await read('mistral', { sliding_window: null })).windows).toBeUndefined();
  });

  test('of Qwen2 begin at max_window_layers, where they are used at all', async () => {
    const some = { sliding_window: 8, max_window_layers: 4 };
    expect((await read('qwen2', { ...some, use_sliding_window: true })).windows).toEqual([
      ...[null, null, null, null],
      ...[8, 8],
    ]);
    expect((await read('qwen2', some)).windows).toBeUndefined();
  });

  test('of Gemma are in every layer but each second, or each sixth', async () => {
    expect((await read('gemma2')).windows).toEqual([WIDE, null, WIDE, null, WIDE, null]);
    expect((await read('gemma3')).windows).toEqual([WIDE, WIDE, WIDE, WIDE, WIDE, null]);
    expect((await read('gemma3', { sliding_window_pattern: 3, sliding_window: 9 })).windows).toEqual([
      ...[9, 9, null],
      ...[9, 9, null],
    ]);
  });

  test('that are no shorter than the text hide nothing', async () => {
    const config = await read('mistral', { sliding_window: 8 });
    expect([7, 8, 9].map((tokens) => hidingWindow(config, 0, tokens))).toEqual([undefined, undefined, 8]);
  });
});

test('SmolLM3 leaves every fourth layer without positions; the list, despite its name, is of those that have them', async () => {
  const { rope, layerRopes, tiedHead } = await read('smollm3');
  expect(rope).toEqual({ kind: 'default', theta: 2e6 });
  expect(layerRopes).toEqual([rope, rope, rope, null, rope, rope]);
  expect(tiedHead).toBe(true);
  const all = await read('smollm3', { no_rope_layers: [1, 1, 1, 1, 1, 1] });
  expect(all.layerRopes).toBeUndefined();
});

describe('Gemma 3', () => {
  const older = {
    rope_theta: 5e5,
    rope_local_base_freq: 2e4,
    rope_scaling: { rope_type: 'linear', factor: 8 },
  };
  const newer = {
    rope_parameters: {
      full_attention: { rope_type: 'linear', rope_theta: 5e5, factor: 8 },
      sliding_attention: { rope_type: 'default', rope_theta: 2e4 },
    },
  };

  test('has two bases, in both spellings and by default', async () => {
    const [full, local] = [
      { kind: 'linear', theta: 5e5, factor: 8 },
      { kind: 'default', theta: 2e4 },
    ];
    for (const spelling of [older, newer]) {
      const { rope, layerRopes } = await read('gemma3', spelling);
      expect(rope).toEqual(full);
      expect(layerRopes).toEqual([local, local, local, local, local, full]);
    }
    const { layerRopes } = await read('gemma3');
    expect(layerRopes?.map((rope) => rope!.theta)).toEqual([1e4, 1e4, 1e4, 1e4, 1e4, 1e6]);
  });

  test('that reads pictures, too, is its text model, with the tokens that stand beside it', async () => {
    const nested = await parseConfig({
      ...{ model_type: 'gemma3', eos_token_id: [1, 98], vision_config: { hidden_size: 7 } },
      text_config: { ...sizes, model_type: 'gemma3_text', rope_scaling: older.rope_scaling },
    });
    expect(nested).toMatchObject({ layers: 6, eosTokens: [1, 98], rope: { kind: 'linear', theta: 1e6 } });
    const byName = await parseConfig({ ...sizes, architectures: ['Gemma3ForConditionalGeneration'] });
    expect(byName.architecture).toBe('gemma3');
  });
});

test('Gemma 2’s caps are 50 and 30, or what a file says, or none', async () => {
  expect(await read('gemma2')).toMatchObject({ softCap: 50, logitSoftCap: 30, attentionScale: 1 / 16 });
  const none = await read('gemma2', { attn_logit_softcapping: null, final_logit_softcapping: 5 });
  expect([none.softCap, none.logitSoftCap]).toEqual([undefined, 5]);
});

describe('Phi-3', () => {
  const factors = { short_factor: [1, 1, 1, 1, 1, 1], long_factor: [2, 2, 2, 2, 2, 2] };
  const long = {
    ...{ partial_rotary_factor: 0.75, original_max_position_embeddings: 4096 },
    ...{ max_position_embeddings: 131072 },
  };

  test.each(['longrope', 'su', 'yarn'])('calls LongRoPE %s', async (type) => {
    const { rope } = await read('phi3', { ...long, rope_scaling: { type, ...factors } });
    expect(rope).toMatchObject({ kind: 'longrope', rotatedChannels: 12, originalTokens: 4096 });
    // √(1 + ln 32 / ln 4096)
    expect((rope as { attentionFactor: number }).attentionFactor).toBeCloseTo(1.1902380714, 9);
  });

  test('asks for a factor of every pair of channels', () =>
    expect(
      read('phi3', { ...long, rope_scaling: { type: 'longrope', ...factors, long_factor: [2] } }),
    ).rejects.toThrow(
      'config.json: rope_scaling: long_factor has 1 numbers, but 12 channels are rotated in pairs.',
    ));
});

test('GPT-NeoX rotates a quarter of the channels, in both spellings', async () => {
  const spellings = [{}, { rotary_pct: 0.25 }, { rope_parameters: { partial_rotary_factor: 0.25 } }];
  for (const more of spellings) {
    const { rope, isParallel, biases } = await read('gpt_neox', more);
    expect(rope).toEqual({ kind: 'default', theta: 10000, rotatedChannels: 4 });
    expect([isParallel, biases.queryKeyValue]).toEqual([true, true]);
  }
});

describe('what cannot be run faithfully is refused in a sentence', () => {
  test.each<[string, object, string]>([
    ['mixtral', {}, 'config.json names "mixtral", which has feed-forward blocks of experts; supported'],
    [
      'gemma3',
      { attn_logit_softcapping: 50 },
      'config.json: attn_logit_softcapping of gemma3 is not supported.',
    ],
    ['gemma2', { use_bidirectional_attention: true }, 'use_bidirectional_attention is not supported.'],
    ['gemma3', { text_config: 4 }, 'config.json: text_config must be an object'],
    ['mistral', { layer_types: ['full_attention'] }, 'config.json: layer_types of mistral is not supported.'],
    ['smollm3', { no_rope_layers: [1, 0] }, 'config.json: no_rope_layers has 2 entries for 6 layers.'],
    ['smollm3', { no_rope_layers: ['a'] }, 'config.json: no_rope_layers.0 must be 0 or 1, but is "a".'],
    [
      'granite',
      { residual_multiplier: 0 },
      'residual_multiplier must be a number from 0.000001 to 1000000, but is 0.',
    ],
    [
      'gpt_neox',
      { rotary_pct: 0.2 },
      'config.json has heads of 16 channels of which 3 are rotated; rotary positions',
    ],
    [
      'llama',
      { rope_scaling: { type: 'dynamic' } },
      'rope_scaling: factor must be a number from 1 to 1000000',
    ],
    [
      'olmo2',
      { partial_rotary_factor: 0.5 },
      'rotates only a part (0.5) of the channels, which is not supported.',
    ],
  ])('%s %j', async (type, more, sentence) => {
    await expect(read(type, more)).rejects.toThrow(UserError);
    await expect(read(type, more)).rejects.toThrow(sentence);
  });
});
