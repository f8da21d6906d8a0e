import * as z from 'zod/mini';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { Rope } from '../decoder/rope';
import { count, describeIssue, positive, range, truth } from '../files/schema';

const common = { rope_theta: z.nullish(range(1, 1e12)), partial_rotary_factor: z.nullish(positive) };
const originalTokens = z.nullish(count(2 ** 30));
const mscale = z.nullish(range(0, 1e6));
const factors = z.array(positive, 'must be a list of numbers');

const schema = z.discriminatedUnion('rope_type', [
  z.object({ rope_type: z.literal('default'), ...common }),
  z.object({ rope_type: z.literal('linear'), ...common, factor: positive }),
  z.object({ rope_type: z.literal('dynamic'), ...common, factor: range(1, 1e6) }),
  z.object({
    rope_type: z.literal('llama3'),
    ...common,
    factor: positive,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: originalTokens,
  }),
  z.object({
    rope_type: z.literal('yarn'),
    ...common,
    factor: z.nullish(positive),
    original_max_position_embeddings: originalTokens,
    attention_factor: z.nullish(positive),
    beta_fast: z.nullish(positive),
    beta_slow: z.nullish(positive),
    mscale,
    mscale_all_dim: mscale,
    truncate: z.nullish(truth),
  }),
  z.object({
    rope_type: z.literal('longrope'),
    ...common,
    short_factor: factors,
    long_factor: factors,
    factor: z.nullish(positive),
    original_max_position_embeddings: originalTokens,
    attention_factor: z.nullish(positive),
  }),
]);

type Parameters<Kind> = Extract<z.infer<typeof schema>, { rope_type: Kind }>;

const kinds: readonly unknown[] = ['default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope'];

/** What stands beside the RoPE settings and fills in what they leave out. */
export interface RopeSurroundings {
  /** d. */
  headDimension?: number;
  /** Whether the architecture rotates a part of the channels where that is asked for; not by default. */
  mayBePartial?: boolean;
  theta?: number | null;
  trainedTokens?: number | null;
  originalTokens?: number | null;
  partialRotaryFactor?: number | null;
}

/**
 * Checks RoPE settings in transformers' form: `rope_parameters` of version 5, or `rope_scaling` of version 4 with
 * `rope_theta` beside it (then in `surroundings`). Defaults as in transformers 5.23, modeling_rope_utils.py
 * (standardize_rope_params). `where` names the settings in messages. UserError for types that we do not have.
 */
export function parseRope(settings: unknown, surroundings: RopeSurroundings, where: string): Rope {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    throw new UserError(`${where} must be an object with the settings of the rotary positions.`);
  }
  const given = settings as Record<string, unknown>;
  if (
    Object.values(given).some((value) => typeof value === 'object' && value !== null && !Array.isArray(value))
  ) {
    throw new UserError(`${where} differs between layers, which is not supported.`);
  }
  const kind = given.rope_type ?? given.type ?? 'default';
  if (!kinds.includes(kind)) {
    const found = typeof kind === 'string' ? quote(kind, 40) : 'no name';
    throw new UserError(
      `${where} asks for rotary positions of type ${found}; supported are default, linear, dynamic, llama3, yarn and longrope.`,
    );
  }
  const parsed = schema.safeParse({ ...given, rope_type: kind });
  if (!parsed.success) throw new UserError(`${where}: ${describeIssue(parsed.error, given)}.`);
  const parameters = parsed.data;
  const theta = parameters.rope_theta ?? surroundings.theta ?? 10000;
  const rotated = rotatedChannels(parameters, surroundings, where);
  return { ...readKind(parameters, theta, rotated, surroundings, where), ...rotated };
}

function readKind(
  parameters: z.infer<typeof schema>,
  theta: number,
  rotated: Pick<Rope, 'rotatedChannels'>,
  surroundings: RopeSurroundings,
  where: string,
): Rope {
  switch (parameters.rope_type) {
    case 'default':
      return { kind: 'default', theta };
    case 'linear':
      return { kind: 'linear', theta, factor: parameters.factor };
    case 'dynamic': {
      const { trainedTokens } = surroundings;
      if (!trainedTokens) throw new UserError(`${where}: dynamic needs max_position_embeddings.`);
      return { kind: 'dynamic', theta, factor: parameters.factor, trainedTokens };
    }
    case 'llama3':
      return llama3(parameters, theta, surroundings, where);
    case 'yarn':
      return yarn(parameters, theta, surroundings, where);
    case 'longrope':
      return longrope(parameters, theta, rotated.rotatedChannels, surroundings, where);
  }
}

/** Of which a part is rotated: the first channels of every head. */
function rotatedChannels(
  parameters: z.infer<typeof schema>,
  { headDimension, mayBePartial, partialRotaryFactor }: RopeSurroundings,
  where: string,
): Pick<Rope, 'rotatedChannels'> {
  const part = parameters.partial_rotary_factor ?? partialRotaryFactor ?? 1;
  if (part === 1) return {};
  if (headDimension === undefined || !mayBePartial || part > 1) {
    throw new UserError(`${where} rotates only a part (${part}) of the channels, which is not supported.`);
  }
  // A quotient of whole numbers may come back a hair too small.
  return { rotatedChannels: Math.floor(headDimension * part + 1e-6) };
}

function llama3(
  parameters: Parameters<'llama3'>,
  theta: number,
  surroundings: RopeSurroundings,
  where: string,
): Rope {
  const { factor, low_freq_factor: lowFrequencyFactor, high_freq_factor: highFrequencyFactor } = parameters;
  if (highFrequencyFactor <= lowFrequencyFactor) {
    throw new UserError(`${where}: high_freq_factor must be greater than low_freq_factor.`);
  }
  const tokens = tokensBeforeExtension(parameters, surroundings, where);
  return { kind: 'llama3', theta, factor, lowFrequencyFactor, highFrequencyFactor, originalTokens: tokens };
}

function yarn(
  parameters: Parameters<'yarn'>,
  theta: number,
  surroundings: RopeSurroundings,
  where: string,
): Rope {
  if (theta <= 1) throw new UserError(`${where}: rope_theta must be greater than 1 with yarn.`);
  const tokens = tokensBeforeExtension(parameters, surroundings, where);
  const factor = parameters.factor ?? (surroundings.trainedTokens ?? tokens) / tokens;
  return {
    kind: 'yarn',
    theta,
    factor,
    originalTokens: tokens,
    betaFast: parameters.beta_fast ?? 32,
    betaSlow: parameters.beta_slow ?? 1,
    truncate: parameters.truncate ?? true,
    attentionFactor: parameters.attention_factor ?? yarnAttentionFactor(factor, parameters),
  };
}

/** arXiv 2402.13753. A text of up to `originalTokens` has short factors, a longer one long factors. */
function longrope(
  parameters: Parameters<'longrope'>,
  theta: number,
  rotated: number | undefined,
  surroundings: RopeSurroundings,
  where: string,
): Rope {
  const { short_factor: shortFactors, long_factor: longFactors } = parameters;
  const channels = rotated ?? surroundings.headDimension ?? 2 * shortFactors.length;
  for (const [name, { length }] of Object.entries({ short_factor: shortFactors, long_factor: longFactors })) {
    if (2 * length === channels) continue;
    throw new UserError(
      `${where}: ${name} has ${length} numbers, but ${channels} channels are rotated in pairs.`,
    );
  }
  const tokens = tokensBeforeExtension(parameters, surroundings, where);
  const factor = parameters.factor ?? (surroundings.trainedTokens ?? tokens) / tokens;
  const sharpened = factor <= 1 || tokens === 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(tokens));
  return {
    ...{ kind: 'longrope', theta, originalTokens: tokens, shortFactors, longFactors },
    attentionFactor: parameters.attention_factor ?? sharpened,
  };
}

function tokensBeforeExtension(
  parameters: Parameters<'llama3' | 'yarn' | 'longrope'>,
  surroundings: RopeSurroundings,
  where: string,
): number {
  const tokens =
    surroundings.originalTokens ?? parameters.original_max_position_embeddings ?? surroundings.trainedTokens;
  if (!tokens) throw new UserError(`${where} lacks original_max_position_embeddings.`);
  return tokens;
}

function yarnAttentionFactor(factor: number, parameters: Parameters<'yarn'>): number {
  const scaled = (by: number) => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);
  const { mscale: numerator, mscale_all_dim: denominator } = parameters;
  return numerator && denominator ? scaled(numerator) / scaled(denominator) : scaled(1);
}

/** The settings in transformers' `rope_parameters` form, as captures carry them. */
export function ropeParameters(
  rope: Rope,
  headDimension: number,
): Record<string, string | number | boolean | readonly number[]> {
  const { rotatedChannels } = rope;
  const shared = {
    rope_type: rope.kind,
    rope_theta: rope.theta,
    ...(rotatedChannels === undefined ? {} : { partial_rotary_factor: rotatedChannels / headDimension }),
  };
  switch (rope.kind) {
    case 'default':
      return shared;
    case 'linear':
      return { ...shared, factor: rope.factor };
    case 'dynamic':
      return { ...shared, factor: rope.factor };
    case 'llama3':
      return {
        ...shared,
        factor: rope.factor,
        low_freq_factor: rope.lowFrequencyFactor,
        high_freq_factor: rope.highFrequencyFactor,
        original_max_position_embeddings: rope.originalTokens,
      };
    case 'yarn':
      return {
        ...shared,
        factor: rope.factor,
        original_max_position_embeddings: rope.originalTokens,
        beta_fast: rope.betaFast,
        beta_slow: rope.betaSlow,
        truncate: rope.truncate,
        attention_factor: rope.attentionFactor,
      };
    case 'longrope':
      return {
        ...shared,
        original_max_position_embeddings: rope.originalTokens,
        short_factor: rope.shortFactors,
        long_factor: rope.longFactors,
        attention_factor: rope.attentionFactor,
      };
  }
}
