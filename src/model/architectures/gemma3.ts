import * as z from 'zod/mini';
import { UserError } from '../../base/user-error';
import { count, range } from '../files/schema';
import { check, refuse } from './config-parts';
import { gemmaFields, gemmaLayout, gemmaLike } from './gemma';
import { parseRope } from './rope-config';
import type { ArchitectureRule } from './rule';

const schema = z.object({
  ...gemmaFields,
  sliding_window_pattern: z.nullish(count(1024)),
  rope_local_base_freq: z.nullish(range(1, 1e12)),
});

/** Every head's queries and keys are normalized; layers with windows have a RoPE base of their own. */
export const gemma3: ArchitectureRule = {
  id: 'gemma3',
  names: ['gemma3', 'gemma3_text'],
  read(outer) {
    const { text_config: nested, ...around } = outer;
    if (nested !== undefined && (typeof nested !== 'object' || nested === null))
      throw new UserError('config.json: text_config must be an object with the settings of the text model.');
    const settings = nested ? { ...specialOf(around), ...nested } : outer;
    const given = check(schema, settings);
    // transformers reads it and does not use it.
    if (given.attn_logit_softcapping) refuse('attn_logit_softcapping of gemma3');
    const { full, local } = ropesOf(settings);
    const config = gemmaLike(
      'gemma3',
      { ...settings, rope_scaling: undefined, rope_parameters: full },
      given,
      {
        full: given.sliding_window_pattern ?? 6,
        trainedTokens: 131072,
      },
    );
    const { headDimension, trainedTokens, windows } = config;
    const where = 'config.json: rope_parameters.sliding_attention';
    const theta = given.rope_local_base_freq ?? 10_000;
    const localRope = parseRope(local, { headDimension, trainedTokens, theta }, where);
    return {
      ...config,
      queryKeyNorm: 'heads',
      logitSoftCap: given.final_logit_softcapping ?? undefined,
      layerRopes: windows?.map((window) => (window === null ? config.rope : localRope)),
    };
  },
  layout: gemmaLayout,
  unused: /^(model\.)?(vision_tower|multi_modal_projector)\./,
};

/** What stands beside text_config and counts for the text. */
function specialOf(around: Record<string, unknown>): Record<string, unknown> {
  const names = ['bos_token_id', 'eos_token_id', 'tie_word_embeddings'];
  return Object.fromEntries(Object.entries(around).filter(([name]) => names.includes(name)));
}

/** RoPE settings of layers with full attention, whose base is a million by default, and with windows. */
function ropesOf(settings: Readonly<Record<string, unknown>>): { full: object; local: object } {
  const { rope_parameters: parameters, rope_scaling: scaling, rope_theta: theta } = settings;
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);
  const nested = isObject(parameters) ? parameters : {};
  const full = isObject(nested.full_attention) ? nested.full_attention : {};
  const local = isObject(nested.sliding_attention) ? nested.sliding_attention : {};
  const base = { rope_theta: theta ?? 1e6 };
  return { full: { ...base, ...full, ...(isObject(scaling) ? scaling : {}) }, local };
}
