import * as z from 'zod/mini';
import { truth } from '../files/schema';
import { allOrNone, check, llamaFields, llamaLike } from './config-parts';
import { llamaLayout } from './llama-layout';
import type { ArchitectureRule } from './rule';

const schema = z.object({ ...llamaFields, mlp_bias: z.nullish(truth) });

export const llama: ArchitectureRule = {
  id: 'llama',
  names: ['llama'],
  read(settings) {
    const given = check(schema, settings);
    return {
      ...llamaLike('llama', settings, given, { trainedTokens: 2048, specialTokens: [1, 2] }),
      biases: allOrNone(given.attention_bias, given.mlp_bias),
    };
  },
  layout: (source, config) => llamaLayout(source, config),
};
