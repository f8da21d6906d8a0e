import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';

const files = readdirSync('components', { recursive: true, encoding: 'utf8' }).map((file) =>
  join('components', file),
);
const sources = files
  .filter((file) => /\.tsx?$/.test(file))
  .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
const sheets = files.filter((file) => file.endsWith('.css'));
const modules = sheets.filter((file) => file.endsWith('.module.css'));

function classesOf(sheet: string): string[] {
  const text = readFileSync(sheet, 'utf8').replaceAll(/\/\*.*?\*\/|"[^"]*"/gs, '');
  return [...new Set([...text.matchAll(/\.([a-z][\w-]*)/gi)].map(([, name]) => name!))].filter(
    (name) => !/^\d/.test(name),
  );
}

/** What the importers of a module take from it: `styles.name`. */
function takenFrom(sheet: string): string[] {
  return sources
    .filter(({ path, text }) =>
      [...text.matchAll(/import styles from '([^']+)'/g)].some(
        ([, from]) => join(dirname(path), from!) === sheet,
      ),
    )
    .flatMap(({ text }) => [...text.matchAll(/\bstyles\.(\w+)/g)].map(([, name]) => name!));
}

describe('styles', () => {
  test.each(modules)('%s has the classes that components take from it, and no other', (sheet) => {
    expect(new Set(classesOf(sheet))).toEqual(new Set(takenFrom(sheet)));
  });

  test('modules have names of their own, for their classes are named after them', () => {
    const names = modules.map((sheet) => basename(sheet));
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(20);
  });

  test('no class is global, and no component names one by a string', () => {
    for (const sheet of sheets.filter((file) => !modules.includes(file))) {
      expect(classesOf(sheet), sheet).toEqual([]);
    }
    for (const { path, text } of sources) expect(text, path).not.toMatch(/className="/);
  });
});
