import { expect, it } from 'vitest';
import { factsOf } from '../../src/measure/method-facts';
import { methodById, methods } from '../../src/methods';
import type { ParameterSchema } from '../../src/methods/parameters';
import { findMethods, groupMethods } from '../../src/page/find-methods';
import { wordsOf } from '../../src/page/method-words';
import { bundledModelFacts } from '../../src/study/context';

const context = { ...bundledModelFacts, tokens: 1024 };
const places = { evictAt: 896, answerStart: 1000 };
/** Behind the words that a method has of its own. */
const said = (id: string) => wordsOf(factsOf(methodById(id), context, places), methodById(id));

it.each([
  ['snapkv', / evicts eviction per KV head token decode$/],
  ['chunkkv', / evicts eviction per layer 10 tokens decode$/],
  ['quest', / per query head 16 tokens decode$/],
  ['minference', / per query head token prefill$/],
  ['h2o', / evicts eviction per query head token both prefill decode$/],
  ['full', /YaRN$/],
])('a method is found by the terms that the table has for it: %s', (id, words) => {
  expect(said(id).words).toMatch(words);
});

const saidOf = new Map(methods.map(({ id }) => [id, said(id)]));
const groupsOf = (text: string): string[][] =>
  findMethods(groupMethods(methods, [], context), text, saidOf).map((group) =>
    group.methods.map(({ id }) => id),
  );
const found = (text: string): string[] => groupsOf(text).flat();

it.each([
  ['H2O', 'h2o'],
  ['quest', 'quest'],
  ['ThinK', 'think'],
  ['Streaming', 'streaming'],
  ['Chunk by chunk', 'chunk'],
  ['Leverage scores', 'leverage'],
  ['streaming-llm', 'streaming-llm'],
  ['snap', 'snapkv'],
  ['sink', 'streaming-llm'],
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

it.each([
  ['Li et al. 2024', 'snapkv'],
  ['Tang et al. (2024)', 'quest'],
  ['https://arxiv.org/abs/2406.10774', 'quest'],
  ['https://arxiv.org/pdf/2406.10774v2.pdf', 'quest'],
  ['mit-han-lab', 'quest'],
  ['https://github.com/SqueezeAILab/SqueezedAttention', 'squeezed-attention'],
  ...['sparq', 'loki', 'quest', 'tokenselect', 'minference'].flatMap((id) => [
    ...(id === 'minference' ? [] : [['top-k', id]]),
    ['topk', id],
  ]),
  ...['streaming-llm', 'tova', 'finch', 'kvzip', 'knorm', 'keydiff', 'snapkv'].map((id) => ['kvpress', id]),
])('is found as it is printed, by an address or by a repository: %s, %s', (text, id) => {
  expect(found(text!)).toContain(id);
});

it('finds one paper by its address', () => {
  expect(found('https://arxiv.org/abs/2406.10774')).toEqual(['quest']);
});

it('finds by names of parameters, here and in kvpress', () => {
  const withFraction = found('compression_ratio');
  expect(withFraction).toEqual(
    expect.arrayContaining(['snapkv', 'knorm', 'kvzip', 'lagkv', 'duo-attention']),
  );
  expect(withFraction).not.toContain('quest');
  expect(found('compression ratio')).toEqual(expect.arrayContaining(withFraction));
  expect(found('keepFraction')).toContain('snapkv');
  const isNSink = ({ help, symbol }: ParameterSchema): boolean => /\bn_sink\b/.test(`${symbol} ${help}`);
  const withSink = methods.filter(({ parameters }) => Object.values(parameters).some(isNSink));
  // Not who has one name that ends with n before one that begins with sink.
  expect(found('n_sink').sort()).toEqual(withSink.map(({ id }) => id).sort());
});

it.each([
  ['tau', ['capkv']],
  ['hh_size', ['h2o']],
  ['W_K', ['lorc']],
  ['d_max', ['lorc']],
])('finds by names of one word, of capitals and of symbols: %s', (name, ids) => {
  expect(found(name)).toEqual(ids);
});

it('has those of a phase before those of both', () => {
  const phase = (id: string) => said(id).phase;
  const ofDecode = methods.map(({ id }) => id).filter((id) => phase(id) === 'decode');
  const best = groupsOf('decode').flatMap((group) => {
    const phases = group.map((id) => phase(id) === 'decode');
    // Within a group none of both stands before one of decode alone.
    expect(phases).toEqual([...phases].sort((a, b) => Number(b) - Number(a)));
    return group.filter((id) => phase(id) === 'decode');
  });
  expect(best.sort()).toEqual(ofDecode.sort());
  expect(phase(found('prefill')[0]!)).toBe('prefill');
});
