import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { methods } from '../../src/methods';
import { searchWords } from '../../src/methods/search-words';

const presses = readPresses();

function readPresses(): string[] {
  const text = readFileSync(new URL('../../docs/beside-kvpress.md', import.meta.url), 'utf8');
  return [...text.matchAll(/^\| `([\w-]+)` \| (\w+Press) \|/gm)].map(([, id, press]) => `${id} ${press}`);
}

it('are there for every method, with the names that documents have for it', () => {
  expect(Object.keys(searchWords).sort()).toEqual(methods.map(({ id }) => id).sort());
  expect(presses.length).toBeGreaterThan(20);
  for (const [id, press] of presses.map((line) => line.split(' ') as [string, string]))
    expect(searchWords[id], id).toContain(press);
});
