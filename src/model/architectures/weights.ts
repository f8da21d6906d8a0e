import type { HalfType } from '../../../gpu/rows';
import type { TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';
import type { Layout } from './decoder-weights';
import { HEAD_NAME } from './head';
import { ruleOf } from './registry';
import { unreadNotices, watchedSource } from './unread';

/** Weights, and what is to be known of the files that they come from. */
export interface FoundWeights extends Layout {
  /** What all matrices and tables are stored in; undefined: floats of 32 bits, or not all in the same. */
  weightType: HalfType | undefined;
  /** One sentence each. */
  notices: string[];
}

/**
 * Finds every weight that the config calls for and checks its shape, before any value is read. UserError, one sentence,
 * that names the first tensor that is missing or has another shape than expected.
 */
export async function readWeights(source: TensorSource, config: ModelConfig): Promise<FoundWeights> {
  const watched = watchedSource(source);
  const rule = await ruleOf(config.architecture);
  const weights = await rule.layout(watched.source, config);
  const notices = unreadNotices(watched.unread().filter((name) => !rule.unused?.test(name)));
  if (config.tiedHead && !weights.isTied) {
    notices.unshift(
      `config.json says that the head is the embedding (tie_word_embeddings), but the files hold another ${weights.headName ?? HEAD_NAME}: that one is used.`,
    );
  }
  return { ...weights, weightType: storedType(source, watched.asked), notices };
}

const halfTypes: Readonly<Record<string, HalfType | undefined>> = { F16: 'f16', BF16: 'bf16' };

function storedType(source: TensorSource, names: ReadonlySet<string>): HalfType | undefined {
  const matrices = [...names].filter((name) => source.has(name) && source.shape(name).length > 1);
  const [type, ...others] = new Set(matrices.map((name) => source.type(name)));
  return type !== undefined && others.length === 0 ? halfTypes[type] : undefined;
}
