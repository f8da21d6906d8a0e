import type { TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';
import type { Layout } from './decoder-weights';

/** What is known of an architecture: how its config.json and its tensors are named, and what they say about the decoder. */
export interface ArchitectureRule {
  /** What `ModelConfig.architecture` has. */
  readonly id: string;
  /** As `model_type` or an entry of `architectures` calls it, without ForCausalLM and the like; the first in messages. */
  readonly names: readonly string[];
  /** The facts in a config.json of these names. UserError, one sentence, for what cannot be run faithfully. */
  read(settings: Readonly<Record<string, unknown>>): ModelConfig;
  /** Where the weights are. UserError that names the first tensor that is missing or has another shape. */
  layout(source: TensorSource, config: ModelConfig): Promise<Layout>;
  /** Tensors that a text does not pass through, as of a part that reads pictures. */
  readonly unused?: RegExp;
}
