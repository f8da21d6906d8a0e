import { shorten } from '../../base/quote';
import { UserError } from '../../base/user-error';
import type { ModelConfig } from '../architectures/config';

/**
 * Token ids that the model has embeddings for. UserError, which names the first that is none, otherwise; as `written` has it, for a
 * file may hold what is another number when it is read.
 */
export function checkedIds(
  ids: readonly unknown[],
  { vocabularySize }: Pick<ModelConfig, 'vocabularySize'>,
  written: (index: number) => string = (index) => JSON.stringify(ids[index]) ?? 'missing',
): Uint32Array {
  const wrong = ids.findIndex(
    (id) => typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= vocabularySize,
  );
  if (wrong >= 0) {
    const found = shorten(written(wrong), 40);
    throw new UserError(`Token ${wrong} is ${found}; this model knows ids from 0 to ${vocabularySize - 1}.`);
  }
  return Uint32Array.from(ids as readonly number[]);
}
