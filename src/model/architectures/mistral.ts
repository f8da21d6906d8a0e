import * as z from 'zod/mini';
import { check, llamaFields, llamaLike, refuse, tokens, windowsWhere } from './config-parts';
import { llamaLayout } from './llama-layout';
import type { ArchitectureRule } from './rule';

const schema = z.object({
  ...llamaFields,
  sliding_window: z.nullish(tokens),
  layer_types: z.nullish(z.array(z.string('must be a name'), 'must be a list of names')),
});

/** Llama, whose layers all see a window unless sliding_window is null. */
export const mistral: ArchitectureRule = {
  id: 'mistral',
  names: ['mistral'],
  read(settings) {
    const given = check(schema, settings);
    if (given.layer_types) refuse('layer_types of mistral');
    const window = 'sliding_window' in settings ? given.sliding_window : 4096;
    return {
      ...llamaLike('mistral', settings, given, { trainedTokens: 131072, specialTokens: [1, 2] }),
      ...windowsWhere(given.num_hidden_layers, window, () => true),
    };
  },
  layout: (source, config) => llamaLayout(source, config),
};
