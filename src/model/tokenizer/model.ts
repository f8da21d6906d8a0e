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
    bytes: fallback ? byteIds(vocabulary) : null,
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
    bytes: truthOf(model, 'byte_fallback', false) ? byteIds(vocabulary) : null,
    unknown: unknown as number | null,
    fuses: true,
    unspelled,
  });
  return (piece) => spell(lattice.tokenize(piece));
}

interface Speller {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** The ids of the 256 tokens of one byte; null: there is no such way out. */
  readonly bytes: readonly number[] | null;
  readonly unknown: number | null;
  /** Whether neighbours without a token become one unknown token. */
  readonly fuses: boolean;
  readonly unspelled: Unspelled;
}

/** Ids of the parts of one piece: their own, else those of their bytes, else the unknown token's. */
function speller({
  vocabulary,
  bytes,
  unknown,
  fuses,
  unspelled,
}: Speller): (parts: readonly string[]) => number[] {
  const utf8 = new TextEncoder();
  return (parts) => {
    const ids: number[] = [];
    let wasUnknown = false;
    for (const part of parts) {
      const id = vocabulary.get(part);
      if (id !== undefined) ids.push(id);
      else if (bytes) for (const byte of utf8.encode(part)) ids.push(bytes[byte]!);
      else if (unknown === null) unspelled(parts.join(''));
      else if (!(fuses && wasUnknown)) ids.push(unknown);
      wasUnknown = id === undefined && !bytes;
    }
    return ids;
  };
}

/** `<0x00>` … `<0xFF>`. With some missing the reference reorders what it cannot spell, which nobody can want. */
function byteIds(vocabulary: ReadonlyMap<string, number>): number[] {
  return Array.from({ length: 256 }, (_, byte) => {
    const name = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
    return vocabulary.get(name) ?? refuse(`byte_fallback without the token ${quote(name)}`);
  });
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
