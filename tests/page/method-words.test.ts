import { expect, it } from 'vitest';
import { factsOf } from '../../src/measure/method-facts';
import { methodById } from '../../src/methods';
import { wordsOf } from '../../src/page/method-words';
import { bundledModelFacts } from '../../src/study/context';

const context = { ...bundledModelFacts, tokens: 1024 };
/** Behind the words that a method has of its own. */
const said = (id: string): string =>
  wordsOf(factsOf(methodById(id), context, { evictAt: 896, answerStart: 1000 }));

it.each([
  ['snapkv', /query-aware evicts eviction per KV head token decode$/],
  ['chunkkv', /ChunkKVPress evicts eviction per layer 10 tokens decode$/],
  ['quest', /Inference per query head 16 tokens decode$/],
  ['minference', /vertical-slash per query head token prefill$/],
  ['h2o', / evicts eviction per query head token both prefill decode$/],
  ['full', /YaRN$/],
])('a method is found by the terms that the table has for it: %s', (id, words) => {
  expect(said(id)).toMatch(words);
});
