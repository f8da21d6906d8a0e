import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadTokenizer } from '../../src/model/tokenizer';
import { UserError } from '../../src/user-error';
import { fileJson } from './files';

const tokenizerJson = fileJson('samples/model/tokenizer.json') as {
  model: { vocab: Record<string, number> };
};
const special = { bosToken: 0, eosTokens: [1] };
const tokenizer = loadTokenizer(tokenizerJson, undefined, special);

const awkward = 'Zoë saw 12,345 stars — “✨🌟” — in 漢字.\n\n\tIt\u00a0was\u2028 odd;  a1b2…\r\n';

describe('the bundled tokenizer', () => {
  test('knows its size and its special tokens', () => {
    expect(tokenizer.vocabularySize).toBe(2048);
    expect(tokenizer.beginningOfSequence).toBe(0);
    expect(tokenizer.endOfSequence).toEqual([1]);
    expect(tokenizer.encodeWithStart('the')).toEqual([0, ...tokenizer.encode('the')]);
    expect(tokenizer.encode('')).toEqual([]);
    expect(tokenizer.encodeWithStart('')).toEqual([0]);
    expect(tokenizer.decode([])).toBe('');
  });

  test('returns any text unchanged', () => {
    expect(tokenizer.decode(tokenizer.encode(awkward))).toBe(awkward);
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
        parts.splice(at, 2, parts[at] + parts[at + 1]);
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
      `Chapter ${i}. ${awkward.trim()} The ${i * 7919} lanterns went out one by one`;
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
    expect(tokenizer.tokenText(ids[1])).toBe('�');
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

describe('the beginning of a sequence', () => {
  const template = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '</s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [],
    special_tokens: { '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] } },
  };
  const beginning = (...args: Parameters<typeof loadTokenizer>) => loadTokenizer(...args).beginningOfSequence;

  test('is what the tokenizer puts there, what its settings name, or what the model’s config names', () => {
    expect(beginning({ ...tokenizerJson, post_processor: template }, { bos_token: '<s>' }, special)).toBe(1);
    expect(beginning(tokenizerJson, { bos_token: '</s>' }, special)).toBe(1);
    expect(beginning(tokenizerJson, { bos_token: { content: '</s>', lstrip: false } }, special)).toBe(1);
    expect(beginning(tokenizerJson, {}, special)).toBe(0);
    expect(beginning(tokenizerJson)).toBe(null);
  });

  test('is nothing where the settings say so', () => {
    expect(beginning(tokenizerJson, { add_bos_token: false, bos_token: '<s>' }, special)).toBe(null);
    expect(beginning(tokenizerJson, { bos_token: null }, special)).toBe(null);
  });

  test('ends are collected from both', () => {
    expect(loadTokenizer(tokenizerJson, { eos_token: '<s>' }, special).endOfSequence).toEqual([1, 0]);
  });
});

test('a tokenizer with ▁ and single bytes', () => {
  const vocab = { '▁Hi': 0, '▁there': 1, '<0xC3>': 2, '<0xA9>': 3 };
  const decoders = [
    { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ];
  const small = loadTokenizer({
    model: { type: 'BPE', vocab, merges: [], byte_fallback: true },
    decoder: { type: 'Sequence', decoders },
  });
  expect(small.tokenTexts([0, 1, 2, 3])).toEqual([' Hi', ' there', '', 'é']);
  expect(small.decode([0, 1, 2, 3])).toBe(' Hi thereé');
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
])('%s is refused with a sentence', (_, json) => {
  expect(() => loadTokenizer(json)).toThrow(UserError);
  expect(() => loadTokenizer(json)).toThrow(/^tokenizer.json .*\.$/);
});
