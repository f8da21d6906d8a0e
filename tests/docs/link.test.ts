/** docs/link.md: its keys and its example of notices are what the page reads and says. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { version } from '../../package.json';
import { sampleTexts } from '../../samples/texts';
import { root } from '../../scripts/setup.mjs';
import { readLink, writeLink } from '../../src/page/link/link';
import { taskIds } from '../../src/tasks';
import { anySession, environment } from '../page/environment';

const document = readFileSync(join(root, 'docs/link.md'), 'utf8');
const documented = [...document.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, names = '']) =>
  [...names.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
);

it('has every key that the page writes', async () => {
  const written = new Set<string>();
  for (const session of fc.sample(anySession, { numRuns: 200, seed: 1 })) {
    const hash = await writeLink(session, { version, digest: '0123456789abcdef', backend: 'cpu' });
    for (const [key = ''] of new URLSearchParams(hash)) written.add(key.replace(/^p\..*/, 'p.NAME'));
  }
  expect(documented).toEqual(expect.arrayContaining([...written]));
  expect([...written]).toEqual(expect.arrayContaining(documented.filter((key) => key !== 'z')));
});

it('names every task and text', () => {
  for (const id of [...taskIds, ...sampleTexts.map(({ id }) => id)]) expect(document).toContain(`\`${id}\``);
});

it('says what its damaged example says', async () => {
  const [, hash = '', said = ''] =
    document.match(/For example, `#([^`]+)` opens[^`]+```\n([\s\S]*?)```/) ?? [];
  const { notices } = await readLink(hash, { ...environment, version });
  expect([...notices].sort()).toEqual(said.trimEnd().split('\n').sort());
});

it('has examples that open without a notice', async () => {
  const examples = [...document.matchAll(/^#(\S+)/gm)].map(([, hash = '']) => hash);
  const links = examples.filter((hash) => hash.includes('='));
  expect(links.length).toBeGreaterThan(2);
  for (const hash of links) expect((await readLink(hash, environment)).notices).toEqual([]);
});
