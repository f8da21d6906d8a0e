/** What the model repeats: the context, chunk by chunk, each behind words that ask for it (kvpress kvzip_press.py, `prepare`). */
import { UserError } from '../../base/user-error';
import type { ReadText } from '../../trace/rereading';
import type { QueryBlock } from '../method';
import type { NumberTable } from '../parameters';

/** Of chunks after the first the last tokens of the one before, which say where to go on. */
const POSTFIX_TOKENS = 8;

const FIRST = '\n\nRepeat the previous context exactly.';
const LATER = '\n\nRepeat the part of the previous context exactly, starting with';
/** Between the words and the chunk, where a model has no chat template. */
const SUFFIX = '\n';

/**
 * Token ids of each chunk's repetition: those that are given, or words, where the model has a tokenizer, and the chunk. Throws UserError
 * where there are not as many as chunks.
 */
export function passagesOf(
  { ids, encode }: ReadText,
  chunks: readonly QueryBlock[],
  given: NumberTable | null,
): Uint32Array[] {
  if (given && given.length !== chunks.length) {
    const all = chunks.at(-1)!.end;
    throw new UserError(
      `kvzip: repeatIds needs a row for each of the ${chunks.length} chunks of the ${all} tokens before the eviction, and has ${given.length}.`,
    );
  }
  if (given) return given.map((row) => Uint32Array.from(row));
  const words = (text: string): readonly number[] => encode?.(text) ?? [];
  return chunks.map(({ start, end }) =>
    Uint32Array.from([
      ...words(start === 0 ? FIRST : LATER),
      ...(start === 0 ? [] : ids.subarray(Math.max(0, start - POSTFIX_TOKENS), start)),
      ...words(SUFFIX),
      ...ids.subarray(start, end),
    ]),
  );
}
