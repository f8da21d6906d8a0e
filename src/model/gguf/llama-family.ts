/** What llama.cpp's converter writes of models of Llama's kind: names, settings, and the order of rows. */
import { AS_IS, EMBEDDING, HEAD, type Stored } from './architecture';
import type { GgufSettings } from './settings';

export const llamaNames = {
  names: { token_embd: 'model.embed_tokens', output_norm: 'model.norm', output: 'lm_head' },
  layerPrefix: 'model.layers.',
  layers: {
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_q_norm: 'self_attn.q_norm',
    attn_k_norm: 'self_attn.k_norm',
    attn_output: 'self_attn.o_proj',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj',
  },
} as const;

/** What every model of the Llama family has in config.json. */
export function llamaConfig(settings: GgufSettings, modelType: string): Record<string, unknown> {
  const heads = settings.needed('attention.head_count');
  const hiddenSize = settings.needed('embedding_length');
  const headSize = settings.optional('attention.key_length') ?? hiddenSize / heads;
  const rotated = settings.optional('rope.dimension_count') ?? headSize;
  return {
    ...sharedConfig(settings, modelType),
    hidden_size: hiddenSize,
    intermediate_size: settings.needed('feed_forward_length'),
    num_hidden_layers: settings.needed('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: settings.optional('attention.head_count_kv') ?? heads,
    head_dim: headSize,
    max_position_embeddings: settings.needed('context_length'),
    rms_norm_eps: settings.needed('attention.layer_norm_rms_epsilon'),
    rope_theta: settings.optional('rope.freq_base') ?? 10000,
    ...(rotated === headSize ? {} : { partial_rotary_factor: rotated / headSize }),
    ...ropeScaling(settings),
    attention_bias: settings.tensorShape('blk.0.attn_q.bias') !== null,
    mlp_bias: settings.tensorShape('blk.0.ffn_up.bias') !== null,
  };
}

export function sharedConfig(settings: GgufSettings, modelType: string): Record<string, unknown> {
  const ends = ['eos', 'eot', 'eom'].map((end) => settings.number(`tokenizer.ggml.${end}_token_id`));
  return {
    model_type: modelType,
    vocab_size:
      settings.tensorShape(EMBEDDING)?.[0] ??
      settings.refuse(`lacks tensor ${EMBEDDING}: it is no whole model`),
    bos_token_id: settings.number('tokenizer.ggml.bos_token_id'),
    eos_token_id: [...new Set(ends.filter((id) => id !== null))],
    tie_word_embeddings: settings.tensorShape(HEAD) === null,
  };
}

/** RoPE beyond the trained length as config.json has it. That of Llama 3 and LongRoPE's are in tensors (rope-factors.ts). */
function ropeScaling(settings: GgufSettings): Record<string, unknown> {
  const type = settings.text(`${settings.architecture}.rope.scaling.type`);
  if (type === null || type === 'none' || type === 'longrope') return {};
  const scaling = {
    rope_type: type,
    factor: settings.optional('rope.scaling.factor'),
    original_max_position_embeddings: settings.optional('rope.scaling.original_context_length'),
  };
  if (type !== 'yarn') return { rope_scaling: scaling };
  const extent = settings.optional('rope.scaling.yarn_ext_factor');
  if (extent !== null && extent !== 1)
    settings.refuse(`has a rope.scaling.yarn_ext_factor of ${extent}, which is not supported`);
  return {
    rope_scaling: {
      ...scaling,
      attention_factor: settings.optional('rope.scaling.yarn_attn_factor'),
      beta_fast: settings.optional('rope.scaling.yarn_beta_fast'),
      beta_slow: settings.optional('rope.scaling.yarn_beta_slow'),
    },
  };
}

/** Of queries and keys where llama.cpp turns neighbours. */
export function interleaved(name: string, settings: GgufSettings): Stored {
  const part = /^blk\.\d+\.attn_([qk])\.(?:weight|bias)$/.exec(name)?.[1];
  if (part === undefined) return AS_IS;
  const heads = settings.needed('attention.head_count');
  return {
    kind: 'interleaved halves',
    heads: part === 'q' ? heads : (settings.optional('attention.head_count_kv') ?? heads),
  };
}
