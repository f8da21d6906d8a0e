import * as z from 'zod/mini';
import { check, llamaFields, llamaLike, slidesBy, windowFields, windowsWhere } from './config-parts';
import { llamaLayout } from './llama-layout';
import type { ArchitectureRule } from './rule';

export const qwenSchema = z.object({ ...llamaFields, ...windowFields });

/** Windows of Qwen2 and Qwen3: in layers from max_window_layers on, unless layer_types says which slide. */
export function qwenWindows(given: z.infer<typeof qwenSchema>) {
  const { num_hidden_layers: layers, sliding_window, use_sliding_window, max_window_layers } = given;
  const window = use_sliding_window ? sliding_window : null;
  const slides = slidesBy(given.layer_types, layers, window, (layer) => layer >= (max_window_layers ?? 28));
  return windowsWhere(layers, window, slides);
}

/** Biases on queries, keys and values alone. */
export const qwen2: ArchitectureRule = {
  id: 'qwen2',
  names: ['qwen2'],
  read(settings) {
    const given = check(qwenSchema, settings);
    return {
      ...llamaLike('qwen2', settings, given, { trainedTokens: 32768, specialTokens: [null, null] }),
      biases: { queryKeyValue: true, attentionOutput: false, feedForward: false },
      ...qwenWindows(given),
    };
  },
  layout: (source, config) => llamaLayout(source, config),
};
