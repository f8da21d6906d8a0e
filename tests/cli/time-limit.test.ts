import { expect, it } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { withinTime } from '../../src/cli/time-limit';
import { loadTokenizer } from '../../src/model/tokenizer/tokenizer';

/** A tokenizer whose pattern tries all ways to cut a run of "a" that ends in something else. */
const endless = loadTokenizer({
  model: { type: 'BPE', vocab: { a: 0, b: 1 }, merges: [] },
  pre_tokenizer: {
    type: 'Split',
    pattern: { Regex: '(a+)+$' },
    behavior: 'Isolated',
    invert: false,
  },
});

it('ends a tokenizer’s work that has no end, in a sentence', () => {
  const text = `${'a'.repeat(60)}b`;
  expect(() => withinTime(1000, 'Encoding text.txt', () => endless.encode(text))).toThrow(
    new UserError(
      'Encoding text.txt has no end after 1 s: a regular expression of tokenizer.json goes on for ever over it; give token ids (--ids-file) or another text.',
    ),
  );
  // The next text is read as ever.
  expect(withinTime(1000, 'Encoding', () => endless.encode('aab'))).toEqual([0, 0, 1]);
});

it('lets results and errors through', () => {
  const error = new UserError('another sentence.');
  expect(() =>
    withinTime(1000, 'Encoding', () => {
      throw error;
    }),
  ).toThrow(error);
});
