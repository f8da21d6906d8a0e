import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/base/user-error';
import { loadTokenizer } from '../../src/model/tokenizer/tokenizer';
import { fileJson } from './files';

const tokenizerJson = fileJson('samples/model/tokenizer.json') as {
  model: { vocab: Record<string, number> };
};
const special = { bosToken: 0, eosTokens: [1] };
const tokenizer = loadTokenizer(tokenizerJson, fileJson('samples/model/tokenizer_config.json'), special);

const AWKWARD = 'Zoë saw 12,345 stars — “✨🌟” — in 漢字.\n\n\tIt\u00a0was\u2028 odd;  a1b2…\r\n';

describe('the bundled tokenizer', () => {
  test('knows its size and its special tokens', () => {
    expect(tokenizer.vocabularySize).toBe(2048);
    expect(tokenizer.startToken).toBe(0);
    expect(tokenizer.endOfSequence).toEqual([1]);
    expect(tokenizer.encodeText('the')).toEqual([0, ...tokenizer.encode('the')]);
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.encodeText('')).toEqual([0]);
    expect(tokenizer.decode([])).toBe('');
  });

  test('returns any text unchanged', () => {
    expect(tokenizer.decode(tokenizer.encode(AWKWARD))).toBe(AWKWARD);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  test('merges as the order of its merges demands', () => {
    // Byte-pair encoding by its definition: join the pair of the lowest rank, over and over.
    const { merges } = (
      fileJson('samples/model/tokenizer.json') as { model: { merges: (string | string[])[] } }
    ).model;
    const ranks = new Map(merges.map((pair, rank) => [Array.isArray(pair) ? pair.join(' ') : pair, rank]));
    const merged = (word: string): string[] => {
      const parts = [...word];
      for (;;) {
        const pairRanks = parts
          .slice(1)
          .map((part, i) => ranks.get(`${parts[i]} ${part}`) ?? Number.POSITIVE_INFINITY);
        const lowest = Math.min(...pairRanks);
        if (!Number.isFinite(lowest)) return parts;
        const at = pairRanks.indexOf(lowest);
        parts.splice(at, 2, parts[at]! + parts[at + 1]!);
      }
    };
    for (const word of [
      'unquestionably',
      'thethethe',
      'aaaaaaa',
      'Constantinople',
      'ssssisss',
      'nothingness',
    ]) {
      expect(tokenizer.encode(word)).toEqual(merged(word).map((part) => tokenizerJson.model.vocab[part]));
    }
  });

  test('makes every digit a token of its own', () => {
    expect(tokenizer.tokenTexts(tokenizer.encode('a 90210 b'))).toEqual([
      'a',
      ' ',
      '9',
      '0',
      '2',
      '1',
      '0',
      ' b',
    ]);
  });

  test('encodes a long text as it encodes its paragraphs', () => {
    // Each paragraph ends in letters, and after its two newlines comes a letter: no token of the text spans two of them.
    const paragraph = (i: number) =>
      `Chapter ${i}. ${AWKWARD.trim()} The ${i * 7919} lanterns went out one by one`;
    const paragraphs = Array.from({ length: 2000 }, (_, i) => paragraph(i));
    const text = paragraphs.join('\n\n');
    expect(text.length).toBeGreaterThan(200_000);
    const whole = tokenizer.encode(text);
    expect(whole).toEqual(paragraphs.flatMap((part, i) => tokenizer.encode(i === 0 ? part : `\n\n${part}`)));
    expect(tokenizer.decode(whole)).toBe(text);
  });

  test.each(['a', ' ', '\n', 'th', '7', 'é', '<s>'])('encodes 100,000 characters of %j', (unit) => {
    const text = unit.repeat(100_000 / unit.length);
    const ids = tokenizer.encode(text);
    expect(tokenizer.tokenTexts(ids).join('')).toBe(text);
  });
});

describe('texts of tokens', () => {
  test('join to the text, whatever the tokens', () => {
    const anyToken = fc.nat(tokenizer.vocabularySize - 1);
    fc.assert(
      fc.property(fc.array(anyToken, { maxLength: 30 }), (ids) => {
        const texts = tokenizer.tokenTexts(ids);
        expect(texts).toHaveLength(ids.length);
        expect(texts.join('')).toBe(tokenizer.decode(ids));
      }),
      { numRuns: 500 },
    );
  });

  test('give a split character to the token that completes it', () => {
    const ids = tokenizer.encode('a✨b');
    expect(ids.length).toBeGreaterThan(3);
    const texts = tokenizer.tokenTexts(ids);
    expect(texts.filter((text) => text !== '')).toEqual(['a', '✨', 'b']);
    expect(tokenizer.tokenText(ids[1]!)).toBe('�');
    expect(tokenizer.tokenTexts(ids.slice(0, 2))).toEqual(['a', '�']);
  });

  test('special tokens are written out, ids beyond the vocabulary are empty', () => {
    expect(tokenizer.tokenTexts([0, ...tokenizer.encode('the'), 1, 9999])).toEqual([
      '<s>',
      'the',
      '</s>',
      '',
    ]);
    expect(tokenizer.decode([0, 9999])).toBe('<s>');
  });
});

describe('the start token', () => {
  const template = (...before: string[]) => ({
    type: 'TemplateProcessing',
    single: [
      ...before.map((id) => ({ SpecialToken: { id, type_id: 0 } })),
      { Sequence: { id: 'A', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] },
      '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] },
    },
  });
  const ids = (startToken: boolean | null, ...args: Parameters<typeof loadTokenizer>) =>
    loadTokenizer(...args).encodeText('a', startToken);
  const [a] = tokenizer.encode('a');

  test('is there where the tokenizer itself adds one', () => {
    const own = { ...tokenizerJson, post_processor: template('</s>') };
    expect(ids(null, own, { bos_token: '<s>' }, special)).toEqual([1, a]);
    expect(ids(true, own, { bos_token: '<s>' }, special)).toEqual([1, a]);
    expect(ids(false, own, { bos_token: '<s>' }, special)).toEqual([a]);
    expect(ids(null, { ...tokenizerJson, post_processor: template('<s>', '</s>') })).toEqual([0, 1, a]);
  });

  test('that only the configuration names is there when it is asked for', () => {
    for (const settings of [{ bos_token: '</s>' }, { bos_token: { content: '</s>', lstrip: false } }]) {
      expect(ids(null, tokenizerJson, settings, special)).toEqual([a]);
      expect(ids(true, tokenizerJson, settings, special)).toEqual([1, a]);
    }
    expect(ids(null, tokenizerJson, {}, special)).toEqual([a]);
    expect(ids(true, tokenizerJson, {}, special)).toEqual([0, a]);
    expect(() => ids(true, tokenizerJson)).toThrow(/names no start token/);
  });

  test('follows add_bos_token where that is set', () => {
    const own = { ...tokenizerJson, post_processor: template('<s>') };
    expect(ids(null, own, { add_bos_token: false, bos_token: '<s>' }, special)).toEqual([a]);
    expect(ids(null, tokenizerJson, { add_bos_token: true, bos_token: '<s>' })).toEqual([0, a]);
  });

  test('was put before every text by version 0.1.0, also where only a configuration names it', () => {
    const own = { ...tokenizerJson, post_processor: template('</s>') };
    const then = (...args: Parameters<typeof loadTokenizer>) => loadTokenizer(...args).startOfVersion1;
    expect(then(own, { bos_token: '<s>' }, special)).toEqual([1]);
    expect(then(tokenizerJson, { bos_token: '</s>' }, special)).toEqual([1]);
    expect(then(tokenizerJson, {}, special)).toEqual([0]);
    expect(then(tokenizerJson, { bos_token: null }, special)).toEqual([]);
    expect(then(tokenizerJson, { add_bos_token: false, bos_token: '<s>' }, special)).toEqual([]);
    expect(then(tokenizerJson)).toEqual([]);
  });

  test('ends are collected from both', () => {
    expect(loadTokenizer(tokenizerJson, { eos_token: '<s>' }, special).endOfSequence).toEqual([1, 0]);
  });
});

describe('what no token spells', () => {
  const vocab = { a: 0, b: 1, Ã: 2 };
  const small = (model: object, more: object = {}) =>
    loadTokenizer({ model: { type: 'BPE', vocab, merges: [], ...model }, ...more });

  test('is an error that shows it, in whatever alphabet', () => {
    expect(small({}).encode('ab')).toEqual([0, 1]);
    expect(() => small({}).encode('abc')).toThrow('No tokens of the model spell "abc"');
    const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
    expect(() => small({}, { pre_tokenizer: bytes, decoder: bytes }).encode('aé')).toThrow('spell "aé"');
    expect(() => small({ type: 'WordLevel', unk_token: null }).encode('c')).toThrow(UserError);
  });

  test('is the unknown token where the model has one', () => {
    expect(small({ unk_token: 'b' }).encode('axya')).toEqual([0, 1, 1, 0]);
    expect(small({ unk_token: 'b', fuse_unk: true }).encode('axya')).toEqual([0, 1, 0]);
  });
});

test('a token may have any name', () => {
  const vocab = JSON.parse('{"__proto__": 3, "constructor": 1}');
  const odd = loadTokenizer({
    model: { type: 'WordLevel', vocab, unk_token: null },
    pre_tokenizer: { type: 'WhitespaceSplit' },
  });
  expect(odd.encode('__proto__ constructor')).toEqual([3, 1]);
  expect(odd.vocabularySize).toBe(4);
});

test('a normalizer that makes a text ever longer is stopped', () => {
  const twice = { type: 'Replace', pattern: { String: 'a' }, content: 'aa' };
  const normalizer = { type: 'Sequence', normalizers: Array.from({ length: 30 }, () => twice) };
  const bomb = loadTokenizer({ ...tokenizerJson, normalizer });
  expect(() => bomb.encode('a'.repeat(10_000))).toThrow(
    /normalizer of tokenizer.json makes a text more than/,
  );
});

test('blanks that are added tokens are written as blanks', () => {
  const marked = loadTokenizer({
    model: { type: 'BPE', vocab: { a: 0, '▁': 1, '▁▁': 2 }, merges: [] },
    normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    decoder: { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    added_tokens: [{ id: 2, content: '▁▁', special: false, normalized: false }],
  });
  const ids = marked.encode('a  a');
  expect(marked.tokenTexts(ids).join('')).toBe('a  a');
});

test('a tokenizer with ▁ and single bytes', () => {
  const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const vocab = Object.fromEntries(['▁Hi', '▁there', ...bytes].map((token, id) => [token, id]));
  const [first, second] = [2 + 0xc3, 2 + 0xa9];
  const decoders = [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ];
  const small = loadTokenizer({
    model: { type: 'BPE', vocab, merges: [], byte_fallback: true },
    decoder: { type: 'Sequence', decoders },
  });
  expect(small.tokenTexts([0, 1, first, second])).toEqual([' Hi', ' there', '', 'é']);
  expect(small.decode([0, 1, first, second])).toBe(' Hi thereé');
});

test.each([
  ['no object', null],
  ['no vocabulary', { model: {} }],
  ['an id far out', { model: { type: 'BPE', vocab: { a: 4e9 }, merges: [] } }],
  [
    'an added token without id',
    { model: { type: 'BPE', vocab: {}, merges: [] }, added_tokens: [{ content: 'a' }] },
  ],
  ['an unknown decoder', { ...tokenizerJson, decoder: { type: 'Riddle' } }],
  ['merges that are none', { ...tokenizerJson, model: { ...tokenizerJson.model, merges: 7 } }],
  ['an unknown pre-tokenizer', { ...tokenizerJson, pre_tokenizer: { type: 'UnicodeScripts' } }],
  [
    'a normalizer by table',
    { ...tokenizerJson, normalizer: { type: 'Precompiled', precompiled_charsmap: '' } },
  ],
  ['an unknown post-processor', { ...tokenizerJson, post_processor: { type: 'Riddle' } }],
  ['a template without its tokens', { ...tokenizerJson, post_processor: { type: 'TemplateProcessing' } }],
  ['dropout', { ...tokenizerJson, model: { ...tokenizerJson.model, dropout: 0.1 } }],
  [
    'an expression that cannot be read',
    {
      ...tokenizerJson,
      pre_tokenizer: { type: 'Split', pattern: { Regex: '(' }, behavior: 'Isolated' },
    },
  ],
  ['two tokens with one id', { model: { type: 'BPE', vocab: { a: 0, b: 0 }, merges: [] } }],
  [
    'an added token with the id of another',
    {
      model: { type: 'BPE', vocab: { a: 0 }, merges: [] },
      added_tokens: [{ id: 0, content: 'b' }],
    },
  ],
  [
    'an added token with two ids',
    {
      model: { type: 'BPE', vocab: { a: 0 }, merges: [] },
      added_tokens: [{ id: 1, content: 'a' }],
    },
  ],
])('%s is refused with a sentence', (_, json) => {
  expect(() => loadTokenizer(json)).toThrow(UserError);
  expect(() => loadTokenizer(json)).toThrow(/^tokenizer.json .*\.$/);
});
