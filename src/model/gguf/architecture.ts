/** How llama.cpp's converter names and stores the weights of an architecture, and what config.json said of it. */
import type { GgufSettings } from './settings';

/** What was done to a tensor's values when the file was made, to be taken back. */
export type Stored =
  | { readonly kind: 'as is' }
  /** Halves of each head's rows are interleaved, for rotary positions in pairs of neighbours. */
  | { readonly kind: 'interleaved halves'; readonly heads: number }
  /** Rows of all heads' queries, then keys, then values, where transformers has the three of each head together. */
  | { readonly kind: 'heads apart'; readonly heads: number }
  /** [outputs, inputs] where transformers has [inputs, outputs]. */
  | { readonly kind: 'transposed' }
  /** One more than what transformers adds to 1. */
  | { readonly kind: 'with one' };

export const AS_IS: Stored = { kind: 'as is' };

export interface GgufArchitecture {
  /** Settings as transformers' config.json has them. */
  config(settings: GgufSettings): Record<string, unknown>;
  /** Names of transformers by the file's, without `.weight`; `layers` for those after `blk.N.`. */
  readonly names: Readonly<Record<string, string>>;
  readonly layers: Readonly<Record<string, string>>;
  readonly layerPrefix: string;
  /** `name` is the file's. As it is, by default. */
  stored?(name: string, settings: GgufSettings): Stored;
}

export const EMBEDDING = 'token_embd.weight';
export const HEAD = 'output.weight';
/** Divisors of rotary frequencies: settings that are tensors (rope-factors.ts). */
export const ROPE_FACTORS = 'rope_freqs.weight';
export const ROPE_FACTORS_LONG = 'rope_factors_long.weight';
export const ROPE_FACTORS_SHORT = 'rope_factors_short.weight';

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
