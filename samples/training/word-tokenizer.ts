import { Tokenizer } from '@huggingface/tokenizers';
import type { TaskTokenizer } from '../../src/tasks/index';

/** The pattern at which byte-level BPE cuts text before merging (GPT-2's). White space before a word belongs to it. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/**
 * The bundled tokenizer with a memory of words: the recipe encodes a billion characters of few different words, and
 * looking a word up is much faster than merging it again. The ids are those of the tokenizer itself.
 */
export function createWordTokenizer(tokenizerJson: object): TaskTokenizer {
  const tokenizer = new Tokenizer(tokenizerJson, {});
  const idsOf = new Map<string, number[]>();

  const encodeWord = (word: string): number[] => {
    let ids = idsOf.get(word);
    if (!ids) {
      ids = tokenizer.encode(word, { add_special_tokens: false }).ids;
      idsOf.set(word, ids);
    }
    return ids;
  };

  return {
    startIds: [0],
    encode(text) {
      const ids: number[] = [];
      // As the tokenizer does: every digit by itself first, then the words of what is between.
      for (const part of text.split(/(\p{Nd})/u)) {
        for (const [word] of part.matchAll(WORDS)) {
          for (const id of encodeWord(word)) ids.push(id);
        }
      }
      return ids;
    },
  };
}
