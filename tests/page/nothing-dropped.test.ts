import { describe, expect, it } from 'vitest';
import { methodById } from '../../src/methods';
import type { ParameterContext } from '../../src/methods/parameters';
import { resolveParameters } from '../../src/methods/parameters';
import { fixedRoom } from '../../src/page/nothing-dropped';
import { bundledModelFacts } from '../../src/study/context';

const context: ParameterContext = { ...bundledModelFacts, tokens: 1024 };
const places = { evictAt: 980, answerStart: 1000 };

const roomOf = (id: string, given: Record<string, unknown>) => {
  const method = methodById(id);
  return fixedRoom({ method, parameters: resolveParameters(method, given, context), context, places });
};

describe('what a method has room for, by formula', () => {
  it('is its fixed size, where this text does not fill it', () => {
    expect(roomOf('snapkv', { variant: 'official', capTokens: 1024 })).toBe(1024);
    expect(roomOf('cascading-kv', { sinkTokens: 64, cascadeTokens: 512 })).toBe(2112);
    expect(roomOf('h2o', { heavyTokens: 600, recentTokens: 500 })).toBe(1100);
    expect(roomOf('streaming', { base: 'knorm', cacheTokens: 2048, everyTokens: 1 })).toBe(2048);
    expect(roomOf('sparq', { selectedTokens: 2000 })).toBe(2001);
    expect(roomOf('quest', { budgetTokens: 2048 })).toBe(2048);
  });

  it('is nothing where a share stays, where the text is dropped from, and where all stays', () => {
    expect(roomOf('knorm', { keepFraction: 1 })).toBeNull();
    expect(roomOf('snapkv', { variant: 'official', capTokens: 512 })).toBeNull();
    expect(roomOf('duo-attention', { sinkTokens: 1024 })).toBeNull();
    expect(roomOf('minference', { verticalTokens: 1024, slashDiagonals: 1024 })).toBeNull();
    expect(roomOf('full', {})).toBeNull();
  });
});
