/** The architectures whose GGUF files are read, as llama.cpp's converter (conversion/) writes them. */
import { AS_IS, type GgufArchitecture } from './architecture';
import { interleaved, llamaConfig, llamaNames, sharedConfig } from './llama-family';
import type { GgufSettings } from './settings';

const gpt2: GgufArchitecture = {
  config: (settings) => ({
    ...sharedConfig(settings, 'gpt2'),
    n_embd: settings.needed('embedding_length'),
    n_layer: settings.needed('block_count'),
    n_head: settings.needed('attention.head_count'),
    n_positions: settings.needed('context_length'),
    n_inner: settings.needed('feed_forward_length'),
    layer_norm_epsilon: settings.needed('attention.layer_norm_epsilon'),
    activation_function: 'gelu_new',
  }),
  names: {
    token_embd: 'transformer.wte',
    position_embd: 'transformer.wpe',
    output_norm: 'transformer.ln_f',
    output: 'lm_head',
  },
  layerPrefix: 'transformer.h.',
  layers: {
    attn_norm: 'ln_1',
    attn_qkv: 'attn.c_attn',
    attn_output: 'attn.c_proj',
    ffn_norm: 'ln_2',
    ffn_up: 'mlp.c_fc',
    ffn_down: 'mlp.c_proj',
  },
  stored: (name) =>
    /^blk\.\d+\.(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(name) ? { kind: 'transposed' } : AS_IS,
};

const gptNeoX: GgufArchitecture = {
  config: (settings) => {
    const heads = settings.needed('attention.head_count');
    const hiddenSize = settings.needed('embedding_length');
    return {
      ...sharedConfig(settings, 'gpt_neox'),
      hidden_size: hiddenSize,
      intermediate_size: settings.needed('feed_forward_length'),
      num_hidden_layers: settings.needed('block_count'),
      num_attention_heads: heads,
      max_position_embeddings: settings.needed('context_length'),
      layer_norm_eps: settings.needed('attention.layer_norm_epsilon'),
      use_parallel_residual: settings.truth(`${settings.architecture}.use_parallel_residual`) ?? true,
      attention_bias: settings.tensorShape('blk.0.attn_qkv.bias') !== null,
      rotary_pct: (settings.needed('rope.dimension_count') * heads) / hiddenSize,
      rotary_emb_base: settings.optional('rope.freq_base') ?? 10000,
    };
  },
  names: {
    token_embd: 'gpt_neox.embed_in',
    output_norm: 'gpt_neox.final_layer_norm',
    output: 'embed_out',
  },
  layerPrefix: 'gpt_neox.layers.',
  layers: {
    attn_norm: 'input_layernorm',
    attn_qkv: 'attention.query_key_value',
    attn_output: 'attention.dense',
    ffn_norm: 'post_attention_layernorm',
    ffn_up: 'mlp.dense_h_to_4h',
    ffn_down: 'mlp.dense_4h_to_h',
  },
  stored: (name, settings) =>
    /^blk\.\d+\.attn_qkv\.(weight|bias)$/.test(name)
      ? { kind: 'heads apart', heads: settings.needed('attention.head_count') }
      : AS_IS,
};

/** Norms before and after both blocks. */
const gemmaNames = {
  ...llamaNames,
  layers: {
    ...llamaNames.layers,
    post_attention_norm: 'post_attention_layernorm',
    ffn_norm: 'pre_feedforward_layernorm',
    post_ffw_norm: 'post_feedforward_layernorm',
  },
};

/** `largest`: layers of the one model whose scores are scaled by hidden channels a head, not by those that a head has. */
function gemmaConfig(settings: GgufSettings, modelType: string, largest: number): Record<string, unknown> {
  const config = llamaConfig(settings, modelType);
  const isLargest = config.num_hidden_layers === largest;
  return {
    ...config,
    query_pre_attn_scalar: isLargest
      ? settings.needed('embedding_length') / settings.needed('attention.head_count')
      : config.head_dim,
    attn_logit_softcapping: settings.optional('attn_logit_softcapping'),
    final_logit_softcapping: settings.optional('final_logit_softcapping'),
    sliding_window: settings.optional('attention.sliding_window'),
  };
}

const gemmaStored: GgufArchitecture['stored'] = (name) =>
  name.endsWith('norm.weight') ? { kind: 'with one' } : AS_IS;

/** Llama under another name. */
const like = (modelType: string): GgufArchitecture => ({
  ...llamaNames,
  config: (settings) => llamaConfig(settings, modelType),
});

/** By `general.architecture`. */
export const ggufArchitectures: ReadonlyMap<string, GgufArchitecture> = new Map<string, GgufArchitecture>([
  [
    'llama',
    {
      ...llamaNames,
      // Mistral is Llama here, and no file says that it had windows. A mixture of experts is not: config.json calls it Mixtral.
      config: (settings) => llamaConfig(settings, settings.optional('expert_count') ? 'mixtral' : 'llama'),
      stored: interleaved,
    },
  ],
  ['qwen2', like('qwen2')],
  ['qwen3', like('qwen3')],
  [
    'smollm3',
    {
      ...llamaNames,
      // What llama.cpp takes for every model, as no file says it.
      config: (settings) => ({ ...llamaConfig(settings, 'smollm3'), no_rope_layer_interval: 4 }),
      stored: interleaved,
    },
  ],
  [
    'phi3',
    {
      ...llamaNames,
      layers: {
        ...llamaNames.layers,
        attn_qkv: 'self_attn.qkv_proj',
        ffn_up: 'mlp.gate_up_proj',
      },
      // No windows are written as a window of 0.
      config: (settings) => ({
        ...llamaConfig(settings, 'phi3'),
        sliding_window: settings.optional('attention.sliding_window') || null,
        original_max_position_embeddings: settings.optional('rope.scaling.original_context_length'),
      }),
    },
  ],
  [
    'gemma2',
    { ...gemmaNames, config: (settings) => gemmaConfig(settings, 'gemma2', 46), stored: gemmaStored },
  ],
  [
    'gemma3',
    {
      ...gemmaNames,
      config: (settings) => ({
        ...gemmaConfig(settings, 'gemma3_text', 62),
        rope_local_base_freq: settings.optional('rope.freq_base_swa') ?? 10000,
        sliding_window_pattern: settings.optional('attention.sliding_window_pattern') ?? 6,
      }),
      stored: gemmaStored,
    },
  ],
  [
    'granite',
    {
      ...llamaNames,
      config: (settings) => ({
        ...llamaConfig(settings, 'granite'),
        attention_multiplier: settings.optional('attention.scale'),
        embedding_multiplier: settings.optional('embedding_scale'),
        residual_multiplier: settings.optional('residual_scale'),
        logits_scaling: settings.optional('logit_scale'),
      }),
      stored: interleaved,
    },
  ],
  [
    'olmo2',
    {
      ...llamaNames,
      layers: {
        ...llamaNames.layers,
        post_attention_norm: 'post_attention_layernorm',
        post_ffw_norm: 'post_feedforward_layernorm',
      },
      config: (settings) =>
        llamaConfig(settings, settings.optional('attention.sliding_window') ? 'olmo3' : 'olmo2'),
    },
  ],
  ['gptneox', gptNeoX],
  ['gpt2', gpt2],
]);
