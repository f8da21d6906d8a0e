import { UserError } from '../user-error';
import type { ModelConfig } from './config';
import { shorten } from './quote';

/** Token ids that the model has embeddings for. UserError, which names the first that is none, otherwise. */
export function checkedIds(
  ids: readonly unknown[],
  { vocabularySize }: Pick<ModelConfig, 'vocabularySize'>,
): Uint32Array {
  const wrong = ids.findIndex(
    (id) => typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= vocabularySize,
  );
  if (wrong >= 0) {
    const found = shorten(JSON.stringify(ids[wrong]) ?? 'missing', 40);
    throw new UserError(`Token ${wrong} is ${found}; this model knows ids from 0 to ${vocabularySize - 1}.`);
  }
  return Uint32Array.from(ids as readonly number[]);
}
