import { expect, it } from 'vitest';
import { factsOf } from '../../src/measure/method-facts';
import { methodById, methods } from '../../src/methods';
import { findMethods, groupMethods } from '../../src/page/find-methods';
import { wordsOf } from '../../src/page/method-words';
import { bundledModelFacts } from '../../src/study/context';

const context = { ...bundledModelFacts, tokens: 1024 };
const places = { evictAt: 896, answerStart: 1000 };
/** Behind the words that a method has of its own. */
const said = (id: string): string => wordsOf(factsOf(methodById(id), context, places));

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

const saidOf = new Map(methods.map(({ id }) => [id, said(id)]));
const found = (text: string): string[] =>
  findMethods(groupMethods(methods, [], context), text, saidOf).flatMap((group) =>
    group.methods.map(({ id }) => id),
  );

it.each([
  ['H2O', 'h2o'],
  ['quest', 'quest'],
  ['ThinK', 'think'],
  ['Streaming', 'streaming'],
  ['Chunk by chunk', 'chunk'],
  ['Leverage scores', 'leverage'],
  ['streaming-llm', 'streaming-llm'],
  ['snap', 'snapkv'],
])('stands first who is named exactly so, then whose words begin so: %s', (text, first) => {
  expect(found(text)[0]).toBe(first);
});

it.each([
  ['2404.14469', ['snapkv']],
  ['arxiv 2306.14048', ['h2o', 'observed-attention']],
  ['arXiv:2404.14469', ['snapkv']],
  ['heavy-hitter', ['h2o', 'observed-attention']],
  ['heavy hitter', ['h2o', 'observed-attention']],
])('is found by its paper’s number, hyphens or none: %s', (text, ids) => {
  expect(found(text).sort()).toEqual(ids);
});
