/** What the rules of architectures have in common in reading a config.json. */
import * as z from 'zod/mini';
import { UserError } from '../../base/user-error';
import { choice, count, describeIssue, range, truth } from '../files/schema';
import type { ModelConfig } from './config';
import { parseRope } from './rope-config';

// Upper limits: far above any model of these families, and low enough that sizes computed from them stay exact.
// −1 stands for "none" in some files.
const tokenId = count(2 ** 31 - 1, -1);
export const tokens = count(2 ** 30);
export const epsilon = z.nullish(range(0, 1));
export const gain = z.nullish(range(1e-6, 1e6));
const layerList = <Item extends z.ZodMiniType>(item: Item, what: string) =>
  z.nullish(z.array(item, `must be a list of ${what}`));

/** What every config.json has. */
export const shared = {
  vocab_size: count(2 ** 24),
  bos_token_id: z.nullish(tokenId),
  eos_token_id: z.nullish(z.union([tokenId, z.array(tokenId)], 'must be a token id or a list of them')),
  tie_word_embeddings: z.nullish(truth),
  is_causal: z.nullish(truth),
};

/** Llama's names, which most go by. */
export const llamaFields = {
  ...shared,
  hidden_size: count(2 ** 17),
  intermediate_size: count(2 ** 20),
  num_hidden_layers: count(1024),
  num_attention_heads: count(1024),
  num_key_value_heads: z.nullish(count(1024)),
  head_dim: z.nullish(count(1024)),
  max_position_embeddings: z.nullish(tokens),
  original_max_position_embeddings: z.nullish(tokens),
  rms_norm_eps: epsilon,
  hidden_act: z.nullish(choice(['silu', 'swish'])),
  rope_theta: z.nullish(range(1, 1e12)),
  partial_rotary_factor: z.nullish(range(0, 1)),
  attention_bias: z.nullish(truth),
};

/** Where layers see windows. */
export const windowFields = {
  use_sliding_window: z.nullish(truth),
  sliding_window: z.nullish(tokens),
  max_window_layers: z.nullish(count(1024, 0)),
  layer_types: layerList(choice(['full_attention', 'sliding_attention']), 'names'),
};

export const flagsByLayer = layerList(
  z.custom<number | boolean>(
    (flag) => typeof flag === 'boolean' || flag === 0 || flag === 1,
    'must be 0 or 1',
  ),
  'numbers',
);

const llamaSettings = z.object(llamaFields);

/** Throws UserError, one sentence, that names the setting. */
export function check<Schema extends z.ZodMiniType>(schema: Schema, settings: unknown): z.infer<Schema> {
  const parsed = schema.safeParse(settings);
  if (!parsed.success) throw new UserError(`config.json: ${describeIssue(parsed.error, settings)}.`);
  return parsed.data;
}

/** What transformers has where a config.json of Llama's names is silent. */
export interface Defaults {
  readonly trainedTokens: number;
  readonly specialTokens: readonly [number | null, number | null];
  readonly headDimension?: number;
  readonly theta?: number;
  readonly epsilon?: number;
  readonly tiedHead?: boolean;
  readonly mayBePartial?: boolean;
}

/** A decoder of Llama's kind, without biases: what a rule then changes is what sets its architecture apart. */
export function llamaLike(
  architecture: string,
  settings: Readonly<Record<string, unknown>>,
  given: z.infer<typeof llamaSettings>,
  defaults: Defaults,
): ModelConfig {
  const queryHeads = given.num_attention_heads;
  const headDimension = given.head_dim ?? defaults.headDimension ?? headSize(given.hidden_size, queryHeads);
  const trainedTokens = given.max_position_embeddings ?? defaults.trainedTokens;
  // transformers lets rope_scaling win where a file has both spellings.
  const rope = parseRope(
    settings.rope_scaling ?? settings.rope_parameters ?? {},
    {
      headDimension,
      mayBePartial: defaults.mayBePartial,
      theta: given.rope_theta ?? defaults.theta,
      trainedTokens,
      originalTokens: given.original_max_position_embeddings,
      partialRotaryFactor: given.partial_rotary_factor,
    },
    `config.json: ${settings.rope_scaling ? 'rope_scaling' : 'rope_parameters'}`,
  );
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
    normalization: { kind: 'rms', epsilon: given.rms_norm_eps ?? defaults.epsilon ?? 1e-6 },
    activation: 'silu-gate',
    rope,
    learnedPositions: false,
    biases: { queryKeyValue: false, attentionOutput: false, feedForward: false },
    queryKeyNorm: false,
    tiedHead: given.tie_word_embeddings ?? defaults.tiedHead ?? false,
    attentionScale: 1 / Math.sqrt(headDimension),
    ...specialTokens(settings, given, defaults.specialTokens),
  };
}

/** Biases on all four projections of attention or on none, and on the feed-forward block or not. */
export function allOrNone(
  attention: boolean | null | undefined,
  feedForward: boolean | null | undefined = false,
): ModelConfig['biases'] {
  const isBiased = attention ?? false;
  return { queryKeyValue: isBiased, attentionOutput: isBiased, feedForward: feedForward ?? false };
}

/** `window` tokens in those layers that `slides` says; no windows at all where there are none. */
export function windowsWhere(
  layers: number,
  window: number | null | undefined,
  slides: (layer: number) => boolean,
): Pick<ModelConfig, 'windows'> {
  if (!window) return {};
  const windows = Array.from({ length: layers }, (_, layer) => (slides(layer) ? window : null));
  return windows.some((of) => of !== null) ? { windows } : {};
}

/** Whether a layer slides by `layer_types`, or where a file has none by `otherwise`. UserError for a list of another length, or without a window. */
export function slidesBy(
  types: readonly string[] | null | undefined,
  layers: number,
  window: number | null | undefined,
  otherwise: (layer: number) => boolean,
): (layer: number) => boolean {
  if (!types) return otherwise;
  checkByLayer('layer_types', types, layers);
  if (!window && types.includes('sliding_attention'))
    throw new UserError('config.json: layer_types has sliding_attention, but there is no sliding_window.');
  return (layer) => types[layer] === 'sliding_attention';
}

/** Throws UserError unless a list has an entry for each layer. */
export function checkByLayer(name: string, list: readonly unknown[], layers: number): void {
  if (list.length === layers) return;
  throw new UserError(`config.json: ${name} has ${list.length} entries for ${layers} layers.`);
}

/** Channels of a head where heads share the hidden ones. */
export function headSize(hiddenSize: number, heads: number): number {
  if (hiddenSize % heads !== 0) {
    throw new UserError(
      `config.json has ${hiddenSize} hidden channels, which do not divide evenly among ${heads} heads.`,
    );
  }
  return hiddenSize / heads;
}

export function specialTokens(
  settings: Readonly<Record<string, unknown>>,
  given: { vocab_size: number; bos_token_id?: number | null; eos_token_id?: number | number[] | null },
  [defaultBos, defaultEos]: readonly [number | null, number | null],
): Pick<ModelConfig, 'bosToken' | 'eosTokens'> {
  const bos = 'bos_token_id' in settings ? given.bos_token_id : defaultBos;
  const eos = 'eos_token_id' in settings ? given.eos_token_id : defaultEos;
  const known = (id: number | null | undefined): id is number =>
    id !== null && id !== undefined && id >= 0 && id < given.vocab_size;
  return { bosToken: known(bos) ? bos : null, eosTokens: [eos].flat().filter(known) };
}

/** Throws UserError, which names a setting whose value is not run. */
export function refuse(name: string): never {
  throw new UserError(`config.json: ${name} is not supported.`);
}
