import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { factsOf } from '../../src/measure/method-facts';
import { methods } from '../../src/methods';
import { searchWords, wordsOf } from '../../src/methods/search-words';
import { bundledModelFacts } from '../../src/study/context';

const context = { ...bundledModelFacts, tokens: 1024 };
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

it('have the phase that the table of methods shows', () => {
  for (const method of methods) {
    const { phase } = factsOf(method, context, { evictAt: 896, answerStart: 1000 });
    const words = wordsOf(method, context).split(' ');
    const said = { prefill: words.includes('prefill'), decode: words.includes('decode') };
    if (phase !== null)
      expect(said, method.id).toEqual({ prefill: phase !== 'decode', decode: phase !== 'prefill' });
  }
});
