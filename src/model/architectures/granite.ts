import * as z from 'zod/mini';
import { truth } from '../files/schema';
import { allOrNone, check, gain, llamaFields, llamaLike } from './config-parts';
import { llamaLayout } from './llama-layout';
import type { ArchitectureRule } from './rule';

const schema = z.object({
  ...llamaFields,
  mlp_bias: z.nullish(truth),
  embedding_multiplier: gain,
  residual_multiplier: gain,
  attention_multiplier: gain,
  logits_scaling: gain,
});

/** Llama with a factor at embeddings, residual stream, scores and logits. */
export const granite: ArchitectureRule = {
  id: 'granite',
  names: ['granite'],
  read(settings) {
    const given = check(schema, settings);
    return {
      ...llamaLike('granite', settings, given, { trainedTokens: 2048, specialTokens: [1, 2] }),
      biases: allOrNone(given.attention_bias, given.mlp_bias),
      attentionScale: given.attention_multiplier ?? 1,
      embeddingScale: given.embedding_multiplier ?? 1,
      residualScale: given.residual_multiplier ?? 1,
      logitScale: 1 / (given.logits_scaling ?? 1),
    };
  },
  layout: (source, config) => llamaLayout(source, config),
};
