import * as z from 'zod/mini';
import { allOrNone, check, llamaFields, llamaLike } from './config-parts';
import { llamaLayout } from './llama-layout';
import type { ArchitectureRule } from './rule';

const schema = z.object(llamaFields);

/** Norms at the output of each block alone, and of all channels of queries and keys together. */
export const olmo2: ArchitectureRule = {
  id: 'olmo2',
  names: ['olmo2'],
  read(settings) {
    const given = check(schema, settings);
    const defaults = { trainedTokens: 2048, specialTokens: [null, 50279], epsilon: 1e-5 } as const;
    return {
      ...llamaLike('olmo2', settings, given, defaults),
      biases: allOrNone(given.attention_bias),
      normsAt: 'output',
      queryKeyNorm: 'all',
    };
  },
  layout: (source, config) =>
    llamaLayout(source, config, {
      norms: {
        ...{ input: null, attentionOutput: 'post_attention_layernorm' },
        ...{ feedForward: null, feedForwardOutput: 'post_feedforward_layernorm' },
      },
    }),
};
