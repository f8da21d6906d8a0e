import * as z from 'zod/mini';
import { UserError } from '../../base/user-error';
import type { ModelConfig } from '../architectures/config';
import { makeSplitter, readAddedTokens } from './added-tokens';
import { makeDecoder } from './decoder';
import { makeModel } from './model';
import { makeNormalizer } from './normalizer';
import { makePreTokenizer } from './pre-tokenizer';
import { isSettings } from './settings';
import { specialToken } from './special-token';
import { readTemplate, type Surroundings } from './template';
import { tokenBytesOf } from './token-bytes';
import { readVocabulary } from './vocabulary';

/**
 * Whether a text begins with the model's start token: true and false say so, null leaves it to the tokenizer, which adds one
 * where its own files tell it to.
 */
export type StartToken = boolean | null;

/** Text to token ids and back, as the model was trained with it. Special tokens written out in a text are recognized. */
export interface Tokenizer {
  /**
   * Token ids of a text, without special tokens around it. Time grows linearly with the text. UserError for a character that
   * no token spells.
   */
  encode(text: string): number[];
  /** As `encode`, with the special tokens that the tokenizer puts around a text. UserError as `start`. */
  encodeText(text: string, startToken?: StartToken): number[];
  /** The ids before every text. UserError where a start token is asked for and the model names none. */
  start(startToken?: StartToken): readonly number[];
  /** The text of tokens, special ones written out; ids that no token has are left out. */
  decode(ids: readonly number[]): string;
  /** One token on its own; � where it holds only a part of a character. */
  tokenText(id: number): string;
  /**
   * The text of each token in its place; joined, they are the whole text as the tokenizer's normalizer leaves it. Where a
   * character is split, its parts are empty but for the token that completes it, which has the character.
   */
  tokenTexts(ids: readonly number[]): string[];
  /** What one token stands for in UTF-8; nothing for an id that no token has. */
  tokenBytes(id: number): Uint8Array;
  /** The token that `start(true)` begins with; null where the model names none. */
  startToken: number | null;
  /** What version 0.1.0 put before every text: also a token that only a configuration names. */
  startOfVersion1: readonly number[];
  endOfSequence: number[];
  /** The highest token id, plus one. */
  vocabularySize: number;
}

const settingsSchema = z.looseObject({
  add_bos_token: z.nullish(z.boolean()),
  bos_token: specialToken,
  eos_token: specialToken,
});
type TokenizerSettings = z.infer<typeof settingsSchema>;

/**
 * Makes a tokenizer from a parsed tokenizer.json, and from tokenizer_config.json and the model's config where there are any:
 * these name the tokens that begin and end a sequence. Its ids are those of the reference, Python's `tokenizers` with
 * `add_special_tokens`: every step is known to agree with it, and others are refused. UserError if the files are damaged or
 * ask for such a step.
 */
export function loadTokenizer(
  tokenizerJson: unknown,
  tokenizerConfig: unknown = {},
  model?: Pick<ModelConfig, 'bosToken' | 'eosTokens'>,
): Tokenizer {
  if (!isSettings(tokenizerJson)) throw new UserError('tokenizer.json is damaged: it has no model.');
  const parsed = settingsSchema.safeParse(tokenizerConfig ?? {});
  if (!parsed.success)
    throw new UserError('tokenizer_config.json is damaged: its special tokens are not text.');
  const settings = parsed.data;
  const vocabulary = readVocabulary(tokenizerJson.model);
  const added = readAddedTokens(tokenizerJson.added_tokens, vocabulary);
  const split = makeSplitter(added, makeNormalizer(tokenizerJson.normalizer));
  const preTokenize = makePreTokenizer(tokenizerJson.pre_tokenizer);
  const bytesOf = tokenBytesOf(tokenizerJson.decoder);
  const encodePiece = makeModel(tokenizerJson.model, vocabulary, (piece) =>
    new TextDecoder().decode(bytesOf(piece, false)),
  );

  const tokens = new Map([...vocabulary].map(([token, id]) => [id, token]));
  const addedIds = new Set<number>();
  for (const { id, content } of added) {
    tokens.set(id, content);
    addedIds.add(id);
  }
  const idOf = (token: string | null | undefined): number | null =>
    added.find(({ content }) => content === token)?.id ?? vocabulary.get(token ?? '') ?? null;
  const surroundings = withStart(readTemplate(tokenizerJson.post_processor), settings, idOf);
  const startToken = surroundings.before[0] ?? idOf(settings.bos_token) ?? model?.bosToken ?? null;
  const end = idOf(settings.eos_token);

  const encode = (text: string): number[] => {
    const ids: number[] = [];
    for (const { section, isStart } of split(text)) {
      if (typeof section === 'number') ids.push(section);
      else
        for (const piece of preTokenize(section, isStart)) for (const id of encodePiece(piece)) ids.push(id);
    }
    return ids;
  };
  const start = (asked: StartToken = null): readonly number[] => {
    if (asked === false) return [];
    if (asked === null || surroundings.before.length > 0) return surroundings.before;
    if (startToken !== null) return [startToken];
    throw new UserError(
      'The model names no start token (bos_token), so none can be put before the text; leave it as the tokenizer does it.',
    );
  };
  const tokenBytes = (id: number): Uint8Array => {
    const token = tokens.get(id);
    return token === undefined ? new Uint8Array() : bytesOf(token, addedIds.has(id));
  };
  let vocabularySize = 0;
  for (const id of tokens.keys()) vocabularySize = Math.max(vocabularySize, id + 1);

  return {
    encode,
    encodeText: (text, asked) => [...start(asked), ...encode(text), ...surroundings.after],
    start,
    decode: makeDecoder(tokenizerJson.decoder, tokens, added),
    tokenText: (id) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(tokenBytes(id)),
    tokenTexts: (ids) => {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      const texts = ids.map((id) => decoder.decode(tokenBytes(id), { stream: true }));
      if (texts.length > 0) texts[texts.length - 1] += decoder.decode();
      return texts;
    },
    tokenBytes,
    startToken,
    startOfVersion1:
      startToken === null || settings.add_bos_token === false || settings.bos_token === null
        ? []
        : [startToken],
    endOfSequence: [...new Set([...(model?.eosTokens ?? []), ...(end === null ? [] : [end])])],
    vocabularySize,
  };
}

/**
 * tokenizer_config.json may say outright whether there is a start token: transformers then changes the template, so that
 * add_bos_token counts for more than tokenizer.json.
 */
function withStart(
  { before, after }: Surroundings,
  { add_bos_token, bos_token }: TokenizerSettings,
  idOf: (token: string | null | undefined) => number | null,
): Surroundings {
  const named = idOf(bos_token);
  if (add_bos_token === false) return { before: before.filter((id) => id !== named), after };
  if (add_bos_token && named !== null && before.length === 0) return { before: [named], after };
  return { before, after };
}
