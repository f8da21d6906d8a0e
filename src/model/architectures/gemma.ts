/** What Gemma 2 and 3 have in common. */
import * as z from 'zod/mini';
import { choice, positive, truth } from '../files/schema';
import type { TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';
import {
  allOrNone,
  gain,
  llamaFields,
  llamaLike,
  refuse,
  slidesBy,
  windowFields,
  windowsWhere,
} from './config-parts';
import type { Layout } from './decoder-weights';
import { llamaLayout } from './llama-layout';

export const gemmaFields = {
  ...llamaFields,
  ...windowFields,
  hidden_activation: z.nullish(choice(['gelu_pytorch_tanh'])),
  query_pre_attn_scalar: z.nullish(positive),
  attn_logit_softcapping: gain,
  final_logit_softcapping: gain,
  use_bidirectional_attention: z.nullish(truth),
};

const schema = z.object(gemmaFields);

/** `full`: every so many layers one has no window, where layer_types does not say which do. */
export function gemmaLike(
  architecture: string,
  settings: Readonly<Record<string, unknown>>,
  given: z.infer<typeof schema>,
  { full, trainedTokens }: { readonly full: number; readonly trainedTokens: number },
): ModelConfig {
  if (given.use_bidirectional_attention) refuse('use_bidirectional_attention');
  const defaults = { trainedTokens, specialTokens: [2, 1], headDimension: 256, tiedHead: true } as const;
  const config = llamaLike(architecture, settings, given, defaults);
  const window = 'sliding_window' in settings ? given.sliding_window : 4096;
  const { layers } = config;
  const slides = slidesBy(given.layer_types, layers, window, (layer) => (layer + 1) % full !== 0);
  return {
    ...config,
    activation: 'gelu-tanh-gate',
    biases: allOrNone(given.attention_bias),
    normsAt: 'both',
    embeddingScale: Math.fround(Math.sqrt(config.hiddenSize)),
    attentionScale: 1 / Math.sqrt(given.query_pre_attn_scalar ?? 256),
    ...windowsWhere(layers, window, slides),
  };
}

/** Llama's names, with norms around both blocks that multiply by 1 + weight. */
export function gemmaLayout(source: TensorSource, config: ModelConfig): Promise<Layout> {
  const nested = ['model.language_model.', 'language_model.model.'];
  const root = nested.find((name) => source.has(`${name}embed_tokens.weight`)) ?? 'model.';
  return llamaLayout(source, config, {
    root,
    norms: {
      ...{ input: 'input_layernorm', attentionOutput: 'post_attention_layernorm' },
      ...{ feedForward: 'pre_feedforward_layernorm', feedForwardOutput: 'post_feedforward_layernorm' },
    },
    normsAreOffsets: true,
  });
}
