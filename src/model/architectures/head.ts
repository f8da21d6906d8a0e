import { shapesEqual, type TensorSource } from '../files/tensor-source';
import type { ModelConfig } from './config';

/** The name of the head's weight, in most architectures. */
export const HEAD_NAME = 'lm_head.weight';

/**
 * Whether the head really is the embedding, as config.json says. Fine-tuned and resized models often have a head of their own with
 * the config left as it was; transformers 5 then uses that head, and so do we. Reads both where both are there.
 */
export async function isHeadTied(
  source: TensorSource,
  { tiedHead }: Pick<ModelConfig, 'tiedHead'>,
  embedding: string,
  name = HEAD_NAME,
): Promise<boolean> {
  if (!tiedHead || !source.has(name) || !source.has(embedding)) return tiedHead;
  if (!shapesEqual(source.shape(name), source.shape(embedding))) return false;
  const head = await source.float32(name);
  const other = await source.float32(embedding);
  return head.every((value, i) => Object.is(value, other[i]) || value === other[i]);
}
