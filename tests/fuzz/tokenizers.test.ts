import fc from 'fast-check';
import { expect, test } from 'vitest';
import { loadTokenizer } from '../../src/model/tokenizer/tokenizer';
import { fileJson } from '../model/files';
import { mutate, mutations, Outcomes, settings } from './fuzz';

const letters = [
  '<unk>',
  '<s>',
  '</s>',
  'a',
  'b',
  'c',
  '▁',
  'Ġ',
  '▁a',
  'Ġa',
  'ab',
  '.',
  ',',
  '1',
  '2',
  '##b',
  'é',
  '\n',
  'Ċ',
];
const vocabulary = Object.fromEntries(letters.map((token, id) => [token, id]));
const added = [
  {
    id: 0,
    content: '<unk>',
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  },
  {
    id: 1,
    content: '<s>',
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  },
];
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const bases: readonly object[] = [
  {
    version: '1.0',
    added_tokens: added,
    normalizer: { type: 'NFC' },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
    },
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: '<unk>',
      fuse_unk: false,
      byte_fallback: false,
      vocab: vocabulary,
      merges: ['a b', 'Ġ a'],
    },
  },
  {
    version: '1.0',
    added_tokens: added,
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'Prepend', prepend: '▁' },
        { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
      ],
    },
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: [{ type: 'Replace', pattern: { String: '▁' }, content: ' ' }, { type: 'Fuse' }],
    },
    model: { type: 'Unigram', unk_id: 0, vocab: letters.map((token, i) => [token, -i]) },
  },
  {
    version: '1.0',
    added_tokens: added,
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: null,
    decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
    model: {
      type: 'WordPiece',
      unk_token: '<unk>',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
      vocab: vocabulary,
    },
  },
];
const bundled = fileJson('samples/model/tokenizer.json');

const values: readonly unknown[] = [
  'ByteLevel',
  'Metaspace',
  'Split',
  'Punctuation',
  'Digits',
  'Whitespace',
  'WhitespaceSplit',
  'BertPreTokenizer',
  'Sequence',
  'NFC',
  'NFKC',
  'Lowercase',
  'Strip',
  'StripAccents',
  'Replace',
  'Prepend',
  'BPE',
  'Unigram',
  'WordPiece',
  'WordLevel',
  'Isolated',
  'Removed',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
  'first',
  'always',
  'never',
  { type: 'Split', pattern: { Regex: '\\s+' }, behavior: 'Isolated', invert: false },
  { type: 'Split', pattern: { Regex: '[' }, behavior: 'Isolated', invert: false },
  { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  { type: 'Punctuation', behavior: 'Isolated' },
  { type: 'TemplateProcessing' },
  { String: 'a' },
  { Regex: '\\p{N}' },
];
const names = [
  'normalizer',
  'pre_tokenizer',
  'decoder',
  'post_processor',
  'added_tokens',
  'byte_fallback',
  'ignore_merges',
  'split',
  'dropout',
];
const texts = [
  '',
  ' ',
  'a b',
  'ab\nc',
  '  a  b. 12³½٣Ⅷ',
  'é\u0301 naïve',
  '日本 😀👩‍👩‍👧',
  '\u0000\ufeff\u0085\u2028',
  '<s>a</s><unk>',
  'xyz',
];

test('a changed tokenizer.json spells texts with ids of its vocabulary, or is refused in one sentence', async () => {
  const outcomes = new Outcomes('tokenizers');
  const settingsChanges = fc.option(
    mutations(['<s>', '</s>', '<pad>', { content: '<s>' }], ['bos_token', 'add_bos_token', 'eos_token']),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 40 }),
      mutations(values, names),
      settingsChanges,
      fc.constantFrom(...texts),
      async (which, changes, config, text) => {
        const base = which === 40 ? bundled : bases[which % bases.length]!;
        await outcomes.of(() => {
          // As it would be read from a file.
          const json = JSON.parse(JSON.stringify(mutate(base, changes)) ?? 'null');
          const tokenizer = loadTokenizer(
            json,
            config ? mutate({ bos_token: '<s>', eos_token: '</s>' }, config) : undefined,
          );
          const ids = tokenizer.encode(text);
          for (const id of ids) {
            expect(Number.isInteger(id)).toBe(true);
            expect(id).toBeGreaterThanOrEqual(0);
            expect(id).toBeLessThan(tokenizer.vocabularySize);
          }
          expect(typeof tokenizer.decode(ids)).toBe('string');
          expect(tokenizer.tokenTexts(ids)).toHaveLength(ids.length);
        });
      },
    ),
    settings,
  );
  outcomes.end();
}, 3_600_000);
