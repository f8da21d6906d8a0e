/** How llama.cpp's converter names and stores the weights of each architecture, and what config.json said of it. */
import type { GgufSettings } from './settings';

/** What was done to a tensor's values when the file was made, to be taken back. */
export type Stored =
  | { readonly kind: 'as is' }
  /** Halves of each head's rows are interleaved, for rotary positions in pairs of neighbours. */
  | { readonly kind: 'interleaved halves'; readonly heads: number }
  /** [outputs, inputs] where transformers has [inputs, outputs]. */
  | { readonly kind: 'transposed' };

export interface GgufArchitecture {
  /** Settings as transformers' config.json has them. */
  config(settings: GgufSettings): Record<string, unknown>;
  /** Names of transformers by the file's, without `.weight`; `layers` for those after `blk.N.`. */
  readonly names: Readonly<Record<string, string>>;
  readonly layers: Readonly<Record<string, string>>;
  readonly layerPrefix: string;
  stored(name: string, settings: GgufSettings): Stored;
}

const asIs: Stored = { kind: 'as is' };

/** Tensors that are looked up by their own names. */
export const ROPE_FACTORS = 'rope_freqs.weight';
export const EMBEDDING = 'token_embd.weight';
const HEAD = 'output.weight';

const llamaNames = {
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
function llamaConfig(settings: GgufSettings, modelType: string): Record<string, unknown> {
  const heads = settings.needed('attention.head_count');
  const hiddenSize = settings.needed('embedding_length');
  const headSize = settings.optional('attention.key_length') ?? hiddenSize / heads;
  const rotated = settings.optional('rope.dimension_count') ?? headSize;
  return {
    ...shared(settings, modelType),
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

function shared(settings: GgufSettings, modelType: string): Record<string, unknown> {
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

/** RoPE beyond the trained length as config.json has it. That of Llama 3 is in a tensor (rope-factors.ts). */
function ropeScaling(settings: GgufSettings): Record<string, unknown> {
  const type = settings.text(`${settings.architecture}.rope.scaling.type`);
  if (type === null || type === 'none') return {};
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

function interleaved(name: string, settings: GgufSettings): Stored {
  const part = /^blk\.\d+\.attn_([qk])\.(?:weight|bias)$/.exec(name)?.[1];
  if (part === undefined) return asIs;
  const heads = settings.needed('attention.head_count');
  return {
    kind: 'interleaved halves',
    heads: part === 'q' ? heads : (settings.optional('attention.head_count_kv') ?? heads),
  };
}

const gpt2: GgufArchitecture = {
  config: (settings) => ({
    ...shared(settings, 'gpt2'),
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
    /^blk\.\d+\.(attn_qkv|attn_output|ffn_up|ffn_down)\.weight$/.test(name) ? { kind: 'transposed' } : asIs,
};

/** By `general.architecture`. */
export const ggufArchitectures: ReadonlyMap<string, GgufArchitecture> = new Map<string, GgufArchitecture>([
  [
    'llama',
    {
      ...llamaNames,
      // Mistral is Llama here. A mixture of experts is not: config.json calls it Mixtral.
      config: (settings) => llamaConfig(settings, settings.optional('expert_count') ? 'mixtral' : 'llama'),
      stored: interleaved,
    },
  ],
  ['qwen2', { ...llamaNames, config: (settings) => llamaConfig(settings, 'qwen2'), stored: () => asIs }],
  ['qwen3', { ...llamaNames, config: (settings) => llamaConfig(settings, 'qwen3'), stored: () => asIs }],
  ['gpt2', gpt2],
]);

/** The name that transformers has for a tensor; null where it has none. */
export function transformersName(
  { names, layers, layerPrefix }: GgufArchitecture,
  name: string,
): string | null {
  const [, layer, part = '', suffix = ''] = /^(?:blk\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
  const table = layer === undefined ? names : layers;
  if (!Object.hasOwn(table, part)) return null;
  return `${layer === undefined ? '' : `${layerPrefix}${layer}.`}${table[part]}.${suffix}`;
}
