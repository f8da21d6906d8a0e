/** Links as mail, chat and routers hand them on. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultSession } from '../../../src/page/choices';
import { readLink, writeLink } from '../../../src/page/link/link';
import { anySession, environment } from '../environment';

const { version } = environment;
const fallback = defaultSession(environment.findMethod, environment.contextOf);
const MEANT = 'task=single-needle&length=512&seed=3&method=lagkv&p.keepFraction=0.5&layer=6&head=2';

describe('a link that was escaped on the way', () => {
  it.each([
    ['ampersands as HTML', MEANT.replaceAll('&', '&amp;')],
    ['ampersands as HTML, twice', MEANT.replaceAll('&', '&amp;amp;')],
    ['a question mark in front', `?${MEANT}`],
    ['a slash in front', `/${MEANT}`],
    ['an exclamation mark in front', `!${MEANT}`],
    ['a second number sign', `#${MEANT}`],
    ['a router\u2019s signs', `!/${MEANT}`],
    ['one more round of escapes', encodeURIComponent(MEANT)],
    ['a line break inside', MEANT.replace('seed', 'se\r\ned')],
  ])('is the same: %s', async (_, hash) => {
    const { session, notices } = await readLink(`#${hash}`, environment);
    expect(notices).toEqual([]);
    expect(session).toEqual((await readLink(`#${MEANT}`, environment)).session);
    expect(session.source).toMatchObject({ task: 'single-needle', tokens: 512, seed: 3 });
    expect(session.method).toMatchObject({ id: 'lagkv', parameters: { keepFraction: 0.5 } });
    expect(session.view).toMatchObject({ layer: 6, head: 2 });
  });

  it('is the same whatever was done to it', async () => {
    const damage = fc.constantFrom(
      (link: string) => link.replaceAll('&', '&amp;'),
      (link: string) => `?${link}`,
      encodeURIComponent,
      // Escaped values are escaped again.
      (link: string) => link.replaceAll('%', '%25'),
      (link: string) => `${link}.`,
      (link: string) => `${link})`,
      (link: string) => `${link}&backend=cpu`,
    );
    await fc.assert(
      fc.asyncProperty(anySession, damage, async (session, change) => {
        const link = await writeLink(session, { version, digest: '0123456789ab' });
        const reading = await readLink(`#${change(link)}`, environment);
        expect(reading.notices).toEqual([]);
        expect(reading.session).toEqual(session);
      }),
      { numRuns: 150 },
    );
  });
});

describe('a link that was cut on the way', () => {
  it('says so, wherever it was cut', async () => {
    const link = await writeLink(fallback, { version, digest: '0123456789ab' });
    const start = link.indexOf('&');
    let cuts = 0;
    for (let end = start; end < link.length; end++) {
      const { notices } = await readLink(`#${link.slice(0, end)}`, environment);
      expect(
        notices.filter((notice) => notice.startsWith('The link was cut on the way')),
        link.slice(0, end),
      ).toHaveLength(1);
      cuts += 1;
    }
    expect(cuts).toBeGreaterThan(300);
    expect((await readLink(`#${link}`, environment)).notices).toEqual([]);
  });

  it('names the value that may be only a part', async () => {
    const { notices, session } = await readLink('#v=1.2.3&method=esa&p.localTokens=12', environment);
    expect(session.method.parameters.localTokens).toBe(12);
    expect(notices).toEqual([
      'The link was cut on the way: its end is missing, and its last value, of "p.localTokens", may be only a part. Ask for it again.',
    ]);
  });

  it('says so of links of 0.1.0, which ended in their theme', async () => {
    const old =
      'v=0.1.0&model=bundled@2ad94fe23ba6002c&task=four-needles&length=1024&depth=spread&seed=7&method=esa&p.projection=closed-form&p.compressedDim=16&p.initTokens=16&p.localTokens=12';
    const { notices } = await readLink(`#${old}`, environment);
    expect(notices[0]).toMatch(/^The link was cut on the way: .* of "p\.localTokens"/);
    const whole = await readLink(`#${old}8&mode=both&theme=dark`, environment);
    expect(whole.notices).toEqual([
      'The link was made with version 0.1.0 and this is 1.2.3: numbers may differ.',
    ]);
  });

  it('is told from one that was changed', async () => {
    const link = await writeLink(fallback, { version, digest: null });
    const { notices, session } = await readLink(`#${link.replace('seed=7', 'seed=8')}`, environment);
    expect(session.source).toMatchObject({ seed: 8 });
    expect(notices).toEqual([
      'The link was changed after it was made: what it says now is shown, which may not be what was meant.',
    ]);
  });
});
