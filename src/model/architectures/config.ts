import * as z from 'zod/mini';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { Rope } from '../decoder/rope';
import { choice, count, describeIssue, range, truth } from '../files/schema';
import { parseRope } from './rope-config';

type Architecture = 'llama' | 'qwen2' | 'qwen3' | 'gpt2';

/** What a decoder is, whatever its config.json calls things. Plain data: it can be posted to a worker. */
export interface ModelConfig {
  architecture: Architecture;
  layers: number;
  /** D, channels of the residual stream. */
  hiddenSize: number;
  /** H. */
  queryHeads: number;
  /** G; divides H. */
  keyValueHeads: number;
  /** d, channels of one head. */
  headDimension: number;
  feedForwardSize: number;
  /** V. */
  vocabularySize: number;
  /** Tokens of context that the model declares: beyond them positions were never trained. */
  trainedTokens: number;
  normalization: { kind: 'rms' | 'layer'; epsilon: number };
  /** `silu-gate`: silu(gate) · up, then down; the others have no gate. */
  activation: 'silu-gate' | 'gelu-tanh' | 'gelu';
  /** Rotary positions; null where positions are learned. */
  rope: Rope | null;
  learnedPositions: boolean;
  biases: { queryKeyValue: boolean; attentionOutput: boolean; feedForward: boolean };
  /** RMS normalization of each query and key head before the rotation. */
  queryKeyNorm: boolean;
  /** The head is the embedding. */
  tiedHead: boolean;
  /** Factor on q·k. */
  attentionScale: number;
  /** Token ids outside the vocabulary are left out. */
  bosToken: number | null;
  eosTokens: number[];
}

// Upper limits: far above any model of these families, and low enough that sizes computed from them stay exact.
// −1 stands for "none" in some files.
const tokenId = count(2 ** 31 - 1, -1);
const shared = {
  vocab_size: count(2 ** 24),
  bos_token_id: z.nullish(tokenId),
  eos_token_id: z.nullish(z.union([tokenId, z.array(tokenId)], 'must be a token id or a list of them')),
  tie_word_embeddings: z.nullish(truth),
  is_causal: z.nullish(truth),
};
const epsilon = z.nullish(range(0, 1));

const llamaFamily = z.object({
  ...shared,
  hidden_size: count(2 ** 17),
  intermediate_size: count(2 ** 20),
  num_hidden_layers: count(1024),
  num_attention_heads: count(1024),
  num_key_value_heads: z.nullish(count(1024)),
  head_dim: z.nullish(count(1024)),
  max_position_embeddings: z.nullish(count(2 ** 30)),
  original_max_position_embeddings: z.nullish(count(2 ** 30)),
  rms_norm_eps: epsilon,
  hidden_act: z.nullish(choice(['silu', 'swish'])),
  rope_theta: z.nullish(range(1, 1e12)),
  partial_rotary_factor: z.nullish(range(0, 1)),
  attention_bias: z.nullish(truth),
  mlp_bias: z.nullish(truth),
  use_sliding_window: z.nullish(truth),
  sliding_window: z.nullish(count(2 ** 30)),
  max_window_layers: z.nullish(count(1024, 0)),
  layer_types: z.nullish(z.array(z.string('must be a name'), 'must be a list of names')),
});

const gpt2 = z.object({
  ...shared,
  n_positions: z.nullish(count(2 ** 24)),
  n_embd: count(2 ** 17),
  n_layer: count(1024),
  n_head: count(1024),
  n_inner: z.nullish(count(2 ** 20)),
  activation_function: z.nullish(choice(['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast', 'gelu'])),
  layer_norm_epsilon: epsilon,
  scale_attn_weights: z.nullish(truth),
  scale_attn_by_inverse_layer_idx: z.nullish(truth),
  add_cross_attention: z.nullish(truth),
});

/**
 * Checks a parsed config.json and puts it into our terms; what it leaves out gets transformers' default. Every number
 * is in range afterwards and heads divide evenly. UserError, one sentence, for anything that cannot be run faithfully.
 */
export function parseConfig(value: unknown): ModelConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UserError('config.json must hold a JSON object with the settings of a model.');
  }
  const settings = value as Record<string, unknown>;
  if (settings.quantization_config) {
    throw new UserError('The model has quantized weights; use one with F32, F16 or BF16 weights.');
  }
  if (settings.is_causal === false) {
    throw new UserError(
      'config.json: is_causal is false, so every token of this model sees those after it; only causal models can be studied.',
    );
  }
  const architecture = readArchitecture(settings);
  const config = architecture === 'gpt2' ? readGpt2(settings) : readLlamaFamily(architecture, settings);
  if (config.queryHeads % config.keyValueHeads !== 0) {
    throw new UserError(
      `config.json has ${config.queryHeads} query heads, which is no multiple of its ${config.keyValueHeads} key-value heads.`,
    );
  }
  if (config.rope && config.headDimension % 2 !== 0) {
    throw new UserError(
      `config.json has heads of ${config.headDimension} channels; rotary positions need an even number.`,
    );
  }
  return config;
}

function readArchitecture(settings: Record<string, unknown>): Architecture {
  const names = [
    settings.model_type,
    ...(Array.isArray(settings.architectures) ? settings.architectures : []),
  ];
  const name = names.find((candidate) => typeof candidate === 'string');
  const known = /^(llama|qwen2|qwen3|gpt2)(ForCausalLM|LMHeadModel|Model)?$/i.exec(name ?? '');
  if (known) return known[1]!.toLowerCase() as Architecture;
  const found = name === undefined ? 'names no architecture' : `names ${quote(name, 60)}`;
  throw new UserError(`config.json ${found}; supported architectures are llama, qwen2, qwen3 and gpt2.`);
}

function check<Schema extends z.ZodMiniType>(schema: Schema, settings: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(settings);
  if (!parsed.success) throw new UserError(`config.json: ${describeIssue(parsed.error, settings)}.`);
  return parsed.data;
}

function readLlamaFamily(
  architecture: Exclude<Architecture, 'gpt2'>,
  settings: Record<string, unknown>,
): ModelConfig {
  const given = check(llamaFamily, settings);
  const queryHeads = given.num_attention_heads;
  const headDimension =
    given.head_dim ?? (architecture === 'qwen3' ? 128 : headSize(given.hidden_size, queryHeads));
  const trainedTokens = given.max_position_embeddings ?? (architecture === 'llama' ? 2048 : 32768);
  if (architecture !== 'llama') refuseSlidingWindows(given);
  // transformers lets rope_scaling win where a file has both spellings.
  const rope = parseRope(
    settings.rope_scaling ?? settings.rope_parameters ?? {},
    {
      theta: given.rope_theta,
      trainedTokens,
      originalTokens: given.original_max_position_embeddings,
      partialRotaryFactor: given.partial_rotary_factor,
    },
    `config.json: ${settings.rope_scaling ? 'rope_scaling' : 'rope_parameters'}`,
  );
  // Qwen2 always has biases on q, k and v alone; the others have them on all four projections or on none.
  const attentionBias = architecture !== 'qwen2' && (given.attention_bias ?? false);
  return {
    architecture,
    layers: given.num_hidden_layers,
    hiddenSize: given.hidden_size,
    queryHeads,
    keyValueHeads: given.num_key_value_heads ?? queryHeads,
    headDimension,
    feedForwardSize: given.intermediate_size,
    vocabularySize: given.vocab_size,
    trainedTokens,
    normalization: { kind: 'rms', epsilon: given.rms_norm_eps ?? 1e-6 },
    activation: 'silu-gate',
    rope,
    learnedPositions: false,
    biases: {
      queryKeyValue: attentionBias || architecture === 'qwen2',
      attentionOutput: attentionBias,
      feedForward: architecture === 'llama' && (given.mlp_bias ?? false),
    },
    queryKeyNorm: architecture === 'qwen3',
    tiedHead: given.tie_word_embeddings ?? false,
    attentionScale: 1 / Math.sqrt(headDimension),
    ...specialTokens(settings, given, architecture === 'llama' ? [1, 2] : [null, null]),
  };
}

function readGpt2(settings: Record<string, unknown>): ModelConfig {
  const given = check(gpt2, settings);
  if (given.scale_attn_by_inverse_layer_idx) {
    throw new UserError('config.json: scale_attn_by_inverse_layer_idx is not supported.');
  }
  if (given.add_cross_attention) throw new UserError('config.json: add_cross_attention is not supported.');
  const headDimension = headSize(given.n_embd, given.n_head);
  return {
    architecture: 'gpt2',
    layers: given.n_layer,
    hiddenSize: given.n_embd,
    queryHeads: given.n_head,
    keyValueHeads: given.n_head,
    headDimension,
    feedForwardSize: given.n_inner ?? 4 * given.n_embd,
    vocabularySize: given.vocab_size,
    trainedTokens: given.n_positions ?? 1024,
    normalization: { kind: 'layer', epsilon: given.layer_norm_epsilon ?? 1e-5 },
    activation: given.activation_function === 'gelu' ? 'gelu' : 'gelu-tanh',
    rope: null,
    learnedPositions: true,
    biases: { queryKeyValue: true, attentionOutput: true, feedForward: true },
    queryKeyNorm: false,
    tiedHead: given.tie_word_embeddings ?? true,
    attentionScale: given.scale_attn_weights === false ? 1 : 1 / Math.sqrt(headDimension),
    ...specialTokens(settings, given, [50256, 50256]),
  };
}

function headSize(hiddenSize: number, heads: number): number {
  if (hiddenSize % heads !== 0) {
    throw new UserError(
      `config.json has ${hiddenSize} hidden channels, which do not divide evenly among ${heads} heads.`,
    );
  }
  return hiddenSize / heads;
}

/** As transformers' Qwen2Config: layers from max_window_layers on slide, unless layer_types says which do. */
function refuseSlidingWindows(given: z.infer<typeof llamaFamily>): void {
  const slides = given.layer_types
    ? given.layer_types.some((type) => type !== 'full_attention')
    : given.use_sliding_window === true &&
      given.sliding_window !== null &&
      (given.max_window_layers ?? 28) < given.num_hidden_layers;
  if (slides) {
    throw new UserError('The model uses sliding-window attention in some layers, which is not supported.');
  }
}

function specialTokens(
  settings: Record<string, unknown>,
  given: { vocab_size: number; bos_token_id?: number | null; eos_token_id?: number | number[] | null },
  [defaultBos, defaultEos]: [number | null, number | null],
): Pick<ModelConfig, 'bosToken' | 'eosTokens'> {
  const bos = 'bos_token_id' in settings ? given.bos_token_id : defaultBos;
  const eos = 'eos_token_id' in settings ? given.eos_token_id : defaultEos;
  const known = (id: number | null | undefined): id is number =>
    id !== null && id !== undefined && id >= 0 && id < given.vocab_size;
  return { bosToken: known(bos) ? bos : null, eosTokens: [eos].flat().filter(known) };
}
