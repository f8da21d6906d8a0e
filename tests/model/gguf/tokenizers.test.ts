import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../../src/model/files/file-bytes';
import { type GgufValue, readGgufHeader } from '../../../src/model/gguf/header';
import { GgufSettings } from '../../../src/model/gguf/settings';
import { tokenizerSettings } from '../../../src/model/gguf/tokenizer-settings';
import { loadTokenizer } from '../../../src/model/tokenizer/tokenizer';

const fixtures = new URL('../../fixtures/gguf/', import.meta.url);

interface Case {
  file: string;
  /** Metadata that differs from the file's. */
  change: Record<string, GgufValue>;
  /** Of each text, or of the first ones. */
  ids: number[][];
}
const { texts, cases }: { texts: string[]; cases: Case[] } = JSON.parse(
  readFileSync(new URL('tokenizers.json', fixtures), 'utf8'),
);

async function settingsOf(file: string, change: Record<string, GgufValue>) {
  const bytes = new Uint8Array(readFileSync(new URL(file, fixtures)));
  const { metadata } = await readGgufHeader(bytesInMemory(file, bytes));
  return new GgufSettings(new Map([...metadata, ...Object.entries(change)]), new Map(), file);
}

describe("ids are llama.cpp's", () => {
  it.each(cases.map((each) => [`${each.file} ${JSON.stringify(each.change)}`, each] as const))(
    '%s',
    async (_, { file, change, ids }) => {
      const settings = tokenizerSettings(await settingsOf(file, change))!;
      const tokenizer = loadTokenizer(settings.tokenizer, settings.config);
      ids.forEach((each, i) => {
        expect([texts[i], tokenizer.encodeText(texts[i]!)]).toEqual([texts[i], each]);
      });
    },
  );

  it('on two hundred texts and more', () => {
    expect(texts.length).toBeGreaterThan(200);
    expect(cases.filter(({ ids }) => ids.length === texts.length).length).toBeGreaterThanOrEqual(8);
  });
});

describe('what a tokenizer writes', () => {
  it.each(['vocabulary-gpt2.gguf', 'vocabulary-llama.gguf'])('%s is the text that it read', async (file) => {
    const { tokenizer, config } = tokenizerSettings(await settingsOf(file, {}))!;
    const { encode, decode } = loadTokenizer(tokenizer, config);
    for (const text of ['Hello world\n', '👨‍👩‍👧‍👦 中文 ٣', "don't\t'tis"])
      expect(decode(encode(text))).toBe(text);
  });
});

describe('a tokenizer is refused by name', () => {
  it.each<[string, Record<string, GgufValue>, string]>([
    [
      'a pre-tokenizer',
      { 'tokenizer.ggml.pre': 'deepseek-v3' },
      'v.gguf has a tokenizer with the pre-tokenizer "deepseek-v3", which this program does not know; default, ',
    ],
    [
      'a kind',
      { 'tokenizer.ggml.model': 't5' },
      'v.gguf has a tokenizer of kind "t5", which this program does not know; gpt2 and llama are read.',
    ],
    [
      'one called as something that every object has',
      { 'tokenizer.ggml.model': 'constructor' },
      'v.gguf has a tokenizer of kind "constructor"',
    ],
    ['without merges', { 'tokenizer.ggml.merges': 3 }, 'v.gguf has something else than a list of texts as'],
  ])('%s', async (_, change, sentence) => {
    const metadata = {
      'general.architecture': 'llama',
      'tokenizer.ggml.model': 'gpt2',
      'tokenizer.ggml.tokens': ['a'],
    };
    const settings = new GgufSettings(
      new Map<string, GgufValue>(Object.entries({ ...metadata, ...change })),
      new Map(),
      'v.gguf',
    );
    expect(() => tokenizerSettings(settings)).toThrow(sentence);
  });
});
