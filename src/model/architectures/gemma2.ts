import * as z from 'zod/mini';
import { check } from './config-parts';
import { gemmaFields, gemmaLayout, gemmaLike } from './gemma';
import type { ArchitectureRule } from './rule';

const schema = z.object(gemmaFields);

/** Soft caps on scores and logits; every other layer sees a window. */
export const gemma2: ArchitectureRule = {
  id: 'gemma2',
  names: ['gemma2'],
  read(settings) {
    const given = check(schema, settings);
    const cap = (name: 'attn_logit_softcapping' | 'final_logit_softcapping', otherwise: number) =>
      name in settings ? (given[name] ?? undefined) : otherwise;
    return {
      ...gemmaLike('gemma2', settings, given, { full: 2, trainedTokens: 8192 }),
      softCap: cap('attn_logit_softcapping', 50),
      logitSoftCap: cap('final_logit_softcapping', 30),
    };
  },
  layout: gemmaLayout,
};
