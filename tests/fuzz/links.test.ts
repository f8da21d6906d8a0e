import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readLink, writeLink } from '../../src/page/link/link';
import { anySession, environment } from '../page/environment';
import { allFinite, Outcomes, settings } from './fuzz';

const { version } = environment;
const pieces = [
  '&',
  '&amp;',
  '&amp;amp;',
  '=',
  '%',
  '%25',
  '%3D',
  '%E0%A4',
  '#',
  '?',
  '/',
  '!',
  '+',
  ';',
  ',',
  '(',
  ')',
  ':',
  '\u202e',
  '\u0000',
  '😀',
  'v=0.1.0',
  'task=',
  'length=',
  'layer=999999',
  'head=-1',
  'pin=',
  'pin=none',
  'method=',
  'p.keepFraction=',
  'p.headScores=',
  'p.__proto__=1',
  'zoom=',
  'split=',
  'pooling=',
  'text=',
  'query=',
  'queries=0',
  'evictAfter=',
  'evictAfter=question',
  'question=',
  'expect=a',
  'chat=1',
  '1e400',
  'NaN',
  'Infinity',
  '-0',
  '0x10',
  '٣',
];
const change = fc.array(
  fc.tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 6 })),
    fc.nat(5),
  ),
  { maxLength: 4 },
);

/** A link as somebody's mail, chat or hand may leave it: pieces put in, taken out, and the end cut off. */
function damage(link: string, changes: readonly (readonly [number, string, number])[], cut: number): string {
  let out = link;
  for (const [place, piece, removed] of changes) {
    const at = Math.floor(place * out.length);
    out = out.slice(0, at) + piece + out.slice(at + removed);
  }
  return cut < 1 ? out.slice(0, Math.floor(cut * out.length)) : out;
}

test('a damaged link is read to a session of finite numbers that a link brings back', async () => {
  const outcomes = new Outcomes('links');
  let noticed = 0;
  await fc.assert(
    fc.asyncProperty(
      anySession,
      change,
      fc.double({ min: 0.2, max: 3, noNaN: true }),
      async (session, changes, cut) => {
        const hash = damage(`#${await writeLink(session, { version, digest: null })}`, changes, cut);
        const reading = await outcomes.of(() => readLink(hash, environment));
        // A link is never refused as a whole.
        expect(reading).not.toBeNull();
        expect(allFinite(reading!.session)).toBe(true);
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
        if (reading!.notices.length > 0) noticed++;
        expect(reading!.notices.length).toBeLessThan(30);
        const again = await readLink(
          `#${await writeLink(reading!.session, { version, digest: null })}`,
          environment,
        );
        expect(again.session).toEqual(reading!.session);
        expect(again.notices).toEqual([]);
      },
    ),
    settings,
  );
  expect(noticed).toBeGreaterThan(0);
  outcomes.end({ canRefuse: false });
}, 3_600_000);
