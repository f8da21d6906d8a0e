import { AddedToken, BPE, Tokenizer as Library } from '@huggingface/tokenizers';
import { isSettings, partsOf, refuse, typeName } from './settings';

const known = new Set([
  'ByteLevel',
  'WordPiece',
  'Metaspace',
  'BPEDecoder',
  'CTC',
  'Sequence',
  'Replace',
  'Fuse',
  'Strip',
  'ByteFallback',
]);

/** Ids to text by the decoder of tokenizer.json; ids that no token has are left out. UserError for a decoder that is not known. */
export function makeDecoder(
  decoder: unknown,
  tokens: ReadonlyMap<number, string>,
  added: readonly { readonly id: number; readonly content: string }[],
): (ids: readonly number[]) => string {
  checkDecoder(decoder);
  let library: Library;
  try {
    library = new Library(
      {
        ...{ normalizer: null, pre_tokenizer: null, post_processor: null, decoder: decoder ?? null },
        added_tokens: [],
        // Only its names are used.
        model: { type: 'BPE', vocab: {}, merges: [] },
      },
      {},
    );
  } catch {
    return refuse('a decoder with settings that are not right');
  }
  if (library.model instanceof BPE) for (const [id, token] of tokens) library.model.vocab[id] = token;
  if (library.decoder) library.decoder.added_tokens = added.map((token) => new AddedToken(token));
  return (ids) => {
    const there = ids.filter((id) => tokens.has(id));
    return there.length === 0 ? '' : library.decode(there, { clean_up_tokenization_spaces: false });
  };
}

function checkDecoder(part: unknown): void {
  if (part === null || part === undefined) return;
  if (!isSettings(part) || !known.has(String(part.type))) refuse(`a decoder ${typeName(part)}`);
  if (part.type === 'Sequence') for (const inner of partsOf(part, 'decoders')) checkDecoder(inner);
}
