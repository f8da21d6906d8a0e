import { expect, it } from 'vitest';
import { methodById } from '../../../src/methods';
import type { MethodSpec } from '../../../src/methods/method-spec';
import { defaultSession } from '../../../src/page/choices';
import { translateFractions } from '../../../src/page/link/old-fractions';
import { environment } from '../environment';

const findMethod = (id: string) => methodById(id);
const base = defaultSession(environment.findMethod, environment.contextOf);
const random: MethodSpec = {
  id: 'random',
  parameters: { keepFraction: 0.29, seed: 1, positions: 'original' },
};
const session = { ...base, method: random, pinned: [] };

it.each([
  // Queries before the answer: the eviction is at their begin.
  [600, 900, 870, 'the 600 tokens before the queries'],
  // Queries that begin inside the answer: it is before the answer.
  [890, 900, 870, 'the 870 tokens before the answer'],
  [600, 900, null, 'the 600 tokens before the queries'],
] as const)(
  'keeps as many keys as the link meant: queries from %i of %i, answer at %s',
  (start, tokens, answerStart, said) => {
    const { session: translated, notice } = translateFractions(session, [random], findMethod, {
      tokens,
      queries: { start, end: tokens },
      answerStart,
    });
    const evictAt = Math.min(start, answerStart ?? tokens);
    const { keepFraction } = translated.method.parameters as { keepFraction: number };
    expect(Math.floor(keepFraction * evictAt)).toBe(Math.floor(0.29 * tokens));
    expect(notice).toContain(said);
  },
);
