import { quote } from '../../base/quote';
import { damaged, isSettings, type Settings, typeName } from './settings';

/** Ids are places in lists: a huge one would mean billions of empty ones. */
export const MOST_ID = 2 ** 24;

/** The ids of a model's tokens: an object of token → id, or Unigram's list of [token, score]. UserError if two share one. */
export function readVocabulary(model: unknown): Map<string, number> {
  if (!isSettings(model)) return damaged('it has no model');
  const { vocab } = model;
  const entries: [string, unknown][] = Array.isArray(vocab)
    ? vocab.map((entry, id) => [scoredToken(entry), id])
    : isSettings(vocab)
      ? Object.entries(vocab)
      : damaged('it has no vocabulary of token ids');
  const ids = new Map<string, number>();
  const tokens = new Map<number, string>();
  for (const [token, id] of entries) {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) > MOST_ID)
      return damaged(`token ${quote(token, 40)} has no id from 0 to ${MOST_ID}`);
    const other = tokens.get(id as number);
    if (other !== undefined)
      return damaged(`id ${id} has two tokens, ${quote(other, 40)} and ${quote(token, 40)}`);
    tokens.set(id as number, token);
    ids.set(token, id as number);
  }
  return ids;
}

function scoredToken(entry: unknown): string {
  if (Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number') return entry[0];
  return damaged('its vocabulary is not a list of tokens with scores');
}

/** The id of the token for what the vocabulary cannot spell; null where the model has none. */
export function unknownId(model: Settings, vocabulary: ReadonlyMap<string, number>): number | null {
  const name = model.unk_token;
  if (name === null || name === undefined) return null;
  const id = typeof name === 'string' ? vocabulary.get(name) : undefined;
  return id ?? damaged(`the unk_token of ${typeName(model)} is not in its vocabulary`);
}
