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
  [600, 900],
  [890, 900],
] as const)('keeps as many keys as the link meant: queries from %i of %i', (start, tokens) => {
  const { session: translated, notice } = translateFractions(session, [random], findMethod, {
    tokens,
    queries: { start, end: tokens },
  });
  const { keepFraction } = translated.method.parameters as { keepFraction: number };
  expect(Math.floor(keepFraction * start)).toBe(Math.floor(0.29 * tokens));
  expect(notice).toContain(`the ${start} tokens before the queries`);
});
