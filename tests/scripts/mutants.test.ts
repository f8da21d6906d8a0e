import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { mutants } from '../../scripts/mutants.mjs';

const testFiles = readdirSync('tests', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.test.ts'))
  .map((path) => join('tests', path));

test.each(mutants)(
  'what a mutant changes is there once, and tests that must see it: $name',
  ({ file, from, to, tests }) => {
    const source = existsSync(file) ? readFileSync(file, 'utf8') : '';
    expect(source.split(from).length - 1, `places of ${from}`).toBe(1);
    expect(to).not.toBe(from);
    // Vitest is given parts of paths.
    for (const part of tests)
      expect(
        testFiles.some((path) => path.includes(part)),
        part,
      ).toBe(true);
  },
);

test('a mutant is run by its name, which no other has', () => {
  const names = mutants.map(({ name }) => name);
  expect(names.filter((name, at) => names.indexOf(name) < at)).toEqual([]);
});
