import { Tokenizer as Encoder } from '@huggingface/tokenizers';
import { z } from 'zod';
import { UserError } from '../user-error';
import type { ModelConfig } from './config';
import { count } from './schema';
import { tokenBytesOf } from './token-bytes';

/** Text to token ids and back, as the model was trained with it. Special tokens written out in a text are recognized. */
export interface Tokenizer {
  /** Token ids of a text, without special tokens around it. Time grows linearly with the text. */
  encode(text: string): number[];
  /** As `encode`, after the beginning-of-sequence token if the model has one. */
  encodeWithStart(text: string): number[];
  /** The text of tokens, special ones written out; ids that no token has are left out. */
  decode(ids: readonly number[]): string;
  /** One token on its own; � where it holds only a part of a character. */
  tokenText(id: number): string;
  /**
   * The text of each token in its place; joined, they are the whole text. Where a character is split, its parts are
   * empty but for the token that completes it, which has the character.
   */
  tokenTexts(ids: readonly number[]): string[];
  beginningOfSequence: number | null;
  endOfSequence: number[];
  /** The highest token id, plus one. */
  vocabularySize: number;
}

const tokenId = count(2 ** 24, 0);
const specialToken = z
  .union([z.string(), z.object({ content: z.string() }).transform((token) => token.content)])
  .nullish();

const tokenizerSchema = z.looseObject({
  // Ids are array indices inside the library: a huge one would make it walk through billions of empty places.
  model: z.looseObject({ vocab: z.union([z.record(z.string(), tokenId), z.array(z.unknown())]) }),
  decoder: z.unknown(),
  added_tokens: z.array(z.looseObject({ id: tokenId, content: z.string() })).nullish(),
});

const settingsSchema = z.looseObject({
  add_bos_token: z.boolean().nullish(),
  bos_token: specialToken,
  eos_token: specialToken,
});

/**
 * Makes a tokenizer from a parsed tokenizer.json, and from tokenizer_config.json and the model's config where there are
 * any: these say which tokens begin and end a sequence. UserError if the files are damaged or of an unknown kind.
 */
export function loadTokenizer(
  tokenizerJson: unknown,
  tokenizerConfig: unknown = {},
  model?: Pick<ModelConfig, 'bosToken' | 'eosTokens'>,
): Tokenizer {
  const file = tokenizerSchema.safeParse(tokenizerJson);
  if (!file.success) throw new UserError('tokenizer.json is damaged: it has no vocabulary of token ids.');
  const settings = settingsSchema.safeParse(tokenizerConfig ?? {});
  if (!settings.success)
    throw new UserError('tokenizer_config.json is damaged: its special tokens are not text.');
  const { model: bpe, added_tokens } = file.data;
  const added = new Set((added_tokens ?? []).map((token) => token.id));
  const encoder = makeEncoder({ ...file.data, added_tokens: added_tokens ?? [] }, settings.data);
  const vocabularyIds = Array.isArray(bpe.vocab) ? [bpe.vocab.length - 1] : Object.values(bpe.vocab);
  const vocabularySize = [...vocabularyIds, ...added].reduce((largest, id) => Math.max(largest, id), -1) + 1;

  const bytesOf = tokenBytesOf(file.data.decoder);
  const utf8 = new TextEncoder();
  const tokenBytes = (id: number): Uint8Array => {
    const token = encoder.id_to_token(id);
    if (token === undefined) return new Uint8Array();
    return added.has(id) ? utf8.encode(token) : bytesOf(token);
  };
  const encode = (text: string) => encoder.encode(text, { add_special_tokens: false }).ids;
  const beginningOfSequence = findBeginning(encoder, settings.data, model);
  const end = settings.data.eos_token ? encoder.token_to_id(settings.data.eos_token) : undefined;
  const endOfSequence = [...new Set([...(model?.eosTokens ?? []), ...(end === undefined ? [] : [end])])];

  return {
    encode,
    encodeWithStart: (text) =>
      beginningOfSequence === null ? encode(text) : [beginningOfSequence, ...encode(text)],
    decode: (ids) => {
      const known = ids.filter((id) => encoder.id_to_token(id) !== undefined);
      return known.length === 0 ? '' : encoder.decode(known, { clean_up_tokenization_spaces: false });
    },
    tokenText: (id) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(tokenBytes(id)),
    tokenTexts: (ids) => {
      const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
      const texts = ids.map((id) => decoder.decode(tokenBytes(id), { stream: true }));
      if (texts.length > 0) texts[texts.length - 1] += decoder.decode();
      return texts;
    },
    beginningOfSequence,
    endOfSequence,
    vocabularySize,
  };
}

function makeEncoder(tokenizerJson: object, settings: object): Encoder {
  const parts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null };
  try {
    return new Encoder({ ...parts, ...tokenizerJson }, settings);
  } catch (error) {
    throw new UserError(`tokenizer.json cannot be used: ${error instanceof Error ? error.message : error}.`);
  }
}

/**
 * The token that begins a sequence: none if tokenizer_config.json says so, otherwise the one that the tokenizer itself
 * puts there, otherwise the one that tokenizer_config.json or config.json names.
 */
function findBeginning(
  encoder: Encoder,
  settings: z.infer<typeof settingsSchema>,
  model: Pick<ModelConfig, 'bosToken'> | undefined,
): number | null {
  if (settings.add_bos_token === false || settings.bos_token === null) return null;
  const [bare, dressed] = [false, true].map(
    (special) => encoder.encode('a', { add_special_tokens: special }).ids,
  );
  if (dressed.length > bare.length && dressed[0] !== bare[0]) return dressed[0];
  const named = settings.bos_token ? encoder.token_to_id(settings.bos_token) : undefined;
  return named ?? model?.bosToken ?? null;
}
