/** The rules that the bundled model does not need, loaded when a config.json names another. In the order in which messages list them. */
import { gemma2 } from './gemma2';
import { gemma3 } from './gemma3';
import { gptNeoX } from './gpt-neox';
import { gpt2 } from './gpt2';
import { granite } from './granite';
import { mistral } from './mistral';
import { olmo2 } from './olmo2';
import { phi3 } from './phi3';
import { qwen2 } from './qwen2';
import { qwen3 } from './qwen3';
import type { ArchitectureRule } from './rule';
import { smollm3 } from './smollm3';

export const otherRules: readonly ArchitectureRule[] = [
  ...[mistral, qwen2, qwen3, smollm3, phi3, gemma2, gemma3, granite, olmo2, gptNeoX, gpt2],
];
