import { describe, expect, it } from 'vitest';
import { methods } from '../../src/methods';
import { resolveParameters } from '../../src/methods/parameters';
import { defaultSession } from '../../src/page/choices';
import { changedNames, fillParameters, followDefaults } from '../../src/page/dependent-defaults';
import { equivalentBudget } from '../../src/page/equivalent-budget';
import { parameterContext } from '../../src/study/context';
import type { FindMethod } from '../../src/study/default-study';

const findMethod: FindMethod = (id) => methods.find((method) => method.id === id) ?? null;
const contextOf = (tokens: number) => ({
  ...parameterContext({ kind: 'text', text: '' }, null, null),
  tokens,
});
const context = contextOf(1024);

describe('the budget of parameters', () => {
  const keepOf = (id: string, given: Record<string, unknown>, answerStart: number | null = null) => {
    const method = findMethod(id)!;
    return equivalentBudget(method, resolveParameters(method, given, context), context, 980, answerStart);
  };

  it('is all for full attention, and the fraction itself where it is one', () => {
    expect(keepOf('full', {})).toBe(1);
    expect(keepOf('oracle', { keepFraction: 0.37 })).toBe(0.37);
    expect(keepOf('random', { keepFraction: 1 / 3 }, 998)).toBe(1 / 3);
  });

  it('of ESA counts initial and local tokens, too', () => {
    for (const answerStart of [null, 998]) {
      const keep = keepOf('esa', { initTokens: 16, localTokens: 128, selectedTokens: 37 }, answerStart)!;
      expect(Math.floor(keep * 1024)).toBe(16 + 128 + 37);
    }
  });

  it('is none where layers keep different numbers', () => {
    expect(keepOf('esa', { selectedTokens: [1, 2, 3, 4, 5, 6, 7, 8] })).toBeNull();
    expect(keepOf('oracle', { keepFraction: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8] })).toBeNull();
  });
});

describe('parameters that follow', () => {
  const usual = defaultSession(findMethod, () => context);

  it('are those of a longer text, where they are defaults', () => {
    const followed = followDefaults(usual, findMethod, context, contextOf(2048));
    expect(followed.method.parameters).toMatchObject({
      selectedTokens: 256,
      localTokens: 256,
      globalPosition: 256,
    });
    expect(followed.pinned.find(({ id }) => id === 'lagkv')!.parameters.lagTokens).toBe(128);
    expect(followDefaults(usual, findMethod, context, contextOf(1024))).toBe(usual);
  });

  it('are not those that somebody chose, nor those of a method that is not there', () => {
    const chosen = { ...usual.method, parameters: { ...usual.method.parameters, selectedTokens: 5 } };
    const session = { ...usual, method: chosen, pinned: [{ id: 'snapkv', parameters: {} }] };
    expect(followDefaults(session, findMethod, context, contextOf(2048))).toEqual(session);
  });

  it('fill what is not named from what is, and tell which differ', () => {
    const esa = findMethod('esa')!;
    const filled = fillParameters(esa, { localTokens: 4000 }, context);
    // Too large for the text: it stays, and its control says so.
    expect(filled).toMatchObject({ localTokens: 4000, globalPosition: 4000 });
    expect(changedNames(esa, filled, context)).toEqual(['localTokens']);
    expect(changedNames(esa, fillParameters(esa, {}, context), context)).toEqual([]);
  });
});
