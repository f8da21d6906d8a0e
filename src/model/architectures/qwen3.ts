import { allOrNone, check, llamaLike } from './config-parts';
import { llamaLayout } from './llama-layout';
import { qwenSchema, qwenWindows } from './qwen2';
import type { ArchitectureRule } from './rule';

/** Every head's queries and keys are normalized. */
export const qwen3: ArchitectureRule = {
  id: 'qwen3',
  names: ['qwen3'],
  read(settings) {
    const given = check(qwenSchema, settings);
    const defaults = { trainedTokens: 32768, specialTokens: [null, null], headDimension: 128 } as const;
    return {
      ...llamaLike('qwen3', settings, given, defaults),
      biases: allOrNone(given.attention_bias),
      queryKeyNorm: 'heads',
      ...qwenWindows(given),
    };
  },
  layout: (source, config) => llamaLayout(source, config),
};
