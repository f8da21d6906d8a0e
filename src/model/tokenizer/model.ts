import { BPE, Unigram } from '@huggingface/tokenizers';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';
import { damaged, isSettings, refuse, type Settings, textOf, truthOf, typeName } from './settings';
import { unknownId } from './vocabulary';

/** Token ids of one piece of text. UserError for a piece that the vocabulary cannot spell. */
export type PieceEncoder = (piece: string) => number[];

/** Throws the UserError for a piece that cannot be spelled. */
type Unspelled = (piece: string) => never;

/**
 * The model of tokenizer.json: how a piece becomes tokens. `textOfPiece` writes a piece out for people. UserError for settings
 * that are not known.
 */
export function makeModel(
  model: unknown,
  vocabulary: ReadonlyMap<string, number>,
  textOfPiece: (piece: string) => string,
): PieceEncoder {
  const unspelled: Unspelled = (piece) => {
    throw new UserError(
      `No tokens of the model spell ${quote(textOfPiece(piece), 40)}, which is in the text; leave it out, or use another model.`,
    );
  };
  if (!isSettings(model)) return damaged('it has no model');
  switch (model.type ?? impliedType(model)) {
    case 'BPE':
      return bytePair(model, vocabulary, unspelled);
    case 'Unigram':
      return unigram(model, vocabulary, unspelled);
    case 'WordPiece':
      return wordPiece(model, vocabulary, unspelled);
    case 'WordLevel':
      return wordLevel(model, vocabulary, unspelled);
    default:
      return refuse(`a model ${typeName(model)}`);
  }
}

/** Files from before models had a type. */
function impliedType(model: Settings): string {
  if (Array.isArray(model.vocab)) return 'Unigram';
  if (model.merges !== undefined) return 'BPE';
  return model.continuing_subword_prefix === undefined ? 'WordLevel' : 'WordPiece';
}

function bytePair(
  model: Settings,
  vocabulary: ReadonlyMap<string, number>,
  unspelled: Unspelled,
): PieceEncoder {
  if (model.dropout !== null && model.dropout !== undefined && model.dropout !== 0)
    return refuse('dropout, which makes the ids of a text random');
  if (model.continuing_subword_prefix) return refuse('a continuing_subword_prefix in its "BPE" model');
  const merges = mergesOf(model);
  const suffix = model.end_of_word_suffix ?? '';
  if (typeof suffix !== 'string') return damaged('end_of_word_suffix of "BPE" must be text');
  const ignoresMerges = truthOf(model, 'ignore_merges', false);
  const fallback = truthOf(model, 'byte_fallback', false);
  const spell = speller({
    vocabulary,
    bytes: fallback ? byteTokens(vocabulary) : null,
    unknown: unknownId(model, vocabulary),
    fuses: truthOf(model, 'fuse_unk', false),
    unspelled,
  });
  const library = new BPE({
    ...model,
    type: 'BPE',
    // Ids by token, which `vocabulary` was made of.
    vocab: model.vocab as Record<string, number>,
    merges,
    ignore_merges: ignoresMerges,
    end_of_word_suffix: suffix || undefined,
  });
  return (piece) => {
    const whole = ignoresMerges ? vocabulary.get(piece) : undefined;
    return whole === undefined ? spell(library.bpe(piece)) : [whole];
  };
}

/** Merges are two tokens each: a list of two, or both with a blank between. */
function mergesOf({ merges }: Settings): [string, string][] {
  const isPair = (merge: unknown): boolean =>
    Array.isArray(merge)
      ? merge.length === 2 && merge.every((part) => typeof part === 'string')
      : typeof merge === 'string' && merge.split(' ').length === 2;
  if (!Array.isArray(merges) || !merges.every(isPair))
    return damaged('the merges of its "BPE" model are not pairs of tokens');
  if (merges.length > 0 && !merges.every((merge) => Array.isArray(merge) === Array.isArray(merges[0])))
    damaged('the merges of its "BPE" model are written in two ways');
  // Lists or texts throughout, which the library tells apart by the first; its type has them apart as well.
  return merges;
}

function unigram(
  model: Settings,
  vocabulary: ReadonlyMap<string, number>,
  unspelled: Unspelled,
): PieceEncoder {
  if (!Array.isArray(model.vocab))
    return damaged('the vocabulary of "Unigram" is no list of tokens with scores');
  const unknown = model.unk_id ?? null;
  const size = vocabulary.size;
  if (
    unknown !== null &&
    !(Number.isInteger(unknown) && (unknown as number) >= 0 && (unknown as number) < size)
  )
    return damaged('unk_id of "Unigram" is not in its vocabulary');
  if (size === 0) return damaged('its vocabulary is empty');
  // The library changes the score of its unknown token, so it gets one of its own that no text spells.
  const vocab = model.vocab as [string, number][];
  const scored: [string, number][] = [...vocab, ['\uffff'.repeat(8), vocab[0]![1]]];
  const lattice = new Unigram({ type: 'Unigram', vocab: scored, unk_id: size }, '');
  const spell = speller({
    vocabulary,
    bytes: truthOf(model, 'byte_fallback', false) ? byteTokens(vocabulary) : null,
    unknown: unknown as number | null,
    fuses: true,
    unspelled,
  });
  return (piece) => spell(unknownTogether(lattice.tokenize(piece), vocabulary));
}

/** Neighbours without a token are one part, as in the reference, so that all of its bytes have a token or none counts. */
function unknownTogether(parts: readonly string[], vocabulary: ReadonlyMap<string, number>): string[] {
  const together: string[] = [];
  let wasUnknown = false;
  for (const part of parts) {
    const isUnknown = !vocabulary.has(part);
    if (isUnknown && wasUnknown) together[together.length - 1] += part;
    else together.push(part);
    wasUnknown = isUnknown;
  }
  return together;
}

interface Speller {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Ids by byte; null: there is no such way out. */
  readonly bytes: ByteTokens | null;
  readonly unknown: number | null;
  /** Whether neighbours without a token become one unknown token. */
  readonly fuses: boolean;
  readonly unspelled: Unspelled;
}

/**
 * Ids of the parts of one piece: their own, else those of their bytes, else the unknown token's. An unknown token waits for a part
 * that the vocabulary has, or for the end, and the bytes of others come before it: the reference's order (tokenizers, models/bpe/model.rs,
 * merge_word), which shows only where some bytes have a token and others do not.
 */
function speller({
  vocabulary,
  bytes,
  unknown,
  fuses,
  unspelled,
}: Speller): (parts: readonly string[]) => number[] {
  return (parts) => {
    const ids: number[] = [];
    let waiting = 0;
    const bringUnknown = () => {
      for (; waiting > 0; waiting--) ids.push(unknown!);
    };
    for (const part of parts) {
      const id = vocabulary.get(part);
      if (id !== undefined) {
        bringUnknown();
        ids.push(id);
        continue;
      }
      const spelled = bytes?.(part);
      if (spelled) ids.push(...spelled);
      else if (unknown === null) unspelled(parts.join(''));
      else {
        if (!fuses) bringUnknown();
        waiting = 1;
      }
    }
    bringUnknown();
    return ids;
  };
}

/** The ids of a text's bytes; null where one of them has no token. */
type ByteTokens = (text: string) => number[] | null;

/** By `<0x00>` … `<0xFF>`. */
function byteTokens(vocabulary: ReadonlyMap<string, number>): ByteTokens {
  const ids = Array.from({ length: 256 }, (_, byte) =>
    vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  const utf8 = new TextEncoder();
  return (text) => {
    const found = Array.from(utf8.encode(text), (byte) => ids[byte]);
    return found.includes(undefined) ? null : (found as number[]);
  };
}

function wordPiece(
  model: Settings,
  vocabulary: ReadonlyMap<string, number>,
  unspelled: Unspelled,
): PieceEncoder {
  const prefix = textOf(model, 'continuing_subword_prefix', '##');
  const longest = model.max_input_chars_per_word ?? 100;
  if (typeof longest !== 'number') return damaged('max_input_chars_per_word of "WordPiece" must be a number');
  const unknown = unknownId({ unk_token: '[UNK]', ...model }, vocabulary);
  return (piece) => {
    const characters = Array.from(piece);
    const ids: number[] = [];
    let start = 0;
    while (characters.length <= longest && start < characters.length) {
      let end = characters.length;
      let id: number | undefined;
      while (end > start && id === undefined) {
        const part = characters.slice(start, end).join('');
        id = vocabulary.get(start > 0 ? prefix + part : part);
        if (id === undefined) end--;
      }
      if (id === undefined) break;
      ids.push(id);
      start = end;
    }
    return start === characters.length ? ids : [unknown ?? unspelled(piece)];
  };
}

function wordLevel(
  model: Settings,
  vocabulary: ReadonlyMap<string, number>,
  unspelled: Unspelled,
): PieceEncoder {
  const unknown = unknownId({ unk_token: '<unk>', ...model }, vocabulary);
  return (piece) => [vocabulary.get(piece) ?? unknown ?? unspelled(piece)];
}
