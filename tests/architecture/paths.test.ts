/** Comments and documents name files that exist. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = new URL('../..', import.meta.url).pathname;
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter(Boolean);
const folders = files.flatMap((file) => [...file.matchAll(/\//g)].map(({ index }) => file.slice(0, index)));
const known = new Set([...files, ...folders]);

const PATH = /(?<![\w./-])(?:gpu|src|components|tests|bench|scripts|docs)\/[\w./-]*\w(?![\w*{])/g;
const COMMENT = /\/\*[\s\S]*?\*\/|\/\/.*$/gm;

/** Paths from the root, without an ending too. The audit names tests from their folder. */
const exists = (path: string) =>
  ['', '.ts', '.tsx'].some((ending) => known.has(path + ending) || known.has(`tests/${path}${ending}`));

it('every path in a comment or a document leads somewhere', () => {
  const texts = files.flatMap((file) => {
    if (/^docs\/.*\.md$/.test(file)) return [{ file, text: readFileSync(join(root, file), 'utf8') }];
    if (!/^(gpu|src|components)\/.*\.(tsx?|wgsl|css)$/.test(file)) return [];
    const comments = readFileSync(join(root, file), 'utf8').match(COMMENT) ?? [];
    return [{ file, text: comments.join('\n') }];
  });
  const named = texts.flatMap(({ file, text }) => (text.match(PATH) ?? []).map((path) => ({ file, path })));
  expect(named.length).toBeGreaterThan(100);
  expect(named.filter(({ path }) => !exists(path))).toEqual([]);
});

it('a kernel that equals its cpu.ts stands beside one', () => {
  const shaders = files.filter((file) => file.endsWith('.wgsl'));
  const equal = shaders.filter((file) =>
    /^\/\/ Equals .* of cpu\.ts/m.test(readFileSync(join(root, file), 'utf8')),
  );
  expect(equal.length).toBeGreaterThan(30);
  expect(equal.filter((file) => !known.has(join(file, '..', 'cpu.ts')))).toEqual([]);
});
