import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRowMaker } from '../../samples/training/rows';
import { createWordTokenizer } from '../../samples/training/word-tokenizer';
import { hay, tokenizer } from '../tasks/hay';

const words = createWordTokenizer(JSON.parse(readFileSync('samples/model/tokenizer.json', 'utf8')));

describe('the word tokenizer of the recipe', () => {
  it('gives the ids of the model’s tokenizer for the sample texts', () => {
    for (const text of hay) expect(words.encode(text)).toEqual(tokenizer.encode(text));
  });

  it('gives the same ids for any prose with numbers, quotes and line breaks', () => {
    const piece = fc.constantFrom(
      'The ',
      ' cat',
      "'s",
      ' 12',
      '7',
      '.',
      '\n\n',
      '  ',
      '“é”',
      ' — ',
      'ß',
      '?',
      '\t',
      'A:',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const text = pieces.join('');
        expect(words.encode(text)).toEqual(tokenizer.encode(text));
      }),
    );
  });
});

/** Kinds of tokens in a row; see rows.ts. */
const PROSE = 1;
const ANSWER = 2;

describe.each([256, 1024])('training rows of %i tokens', (length) => {
  const makeRow = createRowMaker(hay, words, length, 5);
  const rows = Array.from({ length: 40 }, () => {
    const bytes = makeRow();
    expect(bytes).toHaveLength(3 * (length + 1));
    const ids = new Uint16Array(bytes.slice(0, 2 * (length + 1)).buffer);
    return { ids: [...ids], kinds: [...bytes.slice(2 * (length + 1))] };
  });

  it('begin with the beginning of sequence and hold ids of the vocabulary', () => {
    for (const { ids, kinds } of rows) {
      expect(ids[0]).toBe(0);
      expect(kinds[0]).toBe(PROSE);
      expect(Math.max(...ids)).toBeLessThan(2048);
    }
  });

  it('mark as answer what follows the question, up to the end of sequence', () => {
    let tasks = 0;
    for (const { ids, kinds } of rows) {
      const begin = kinds.indexOf(ANSWER);
      const before = tokenizer.decode(ids.slice(0, begin));
      if (!before.endsWith('Answer:')) continue;
      tasks += 1;
      const end = kinds.findIndex((kind, i) => i > begin && kind !== ANSWER);
      const marked = ids.slice(begin, end < 0 ? undefined : end);
      expect(marked.at(-1)).toBe(1);
      expect(tokenizer.decode(marked.slice(0, -1))).toMatch(/^ \d+(, \d+)*\.$/);
    }
    expect(tasks).toBeGreaterThan(10);
  });

  it('fill most of their tokens', () => {
    const used = rows.flatMap(({ kinds }) => kinds).filter((kind) => kind !== 0).length;
    expect(used / (rows.length * (length + 1))).toBeGreaterThan(0.8);
  });
});
