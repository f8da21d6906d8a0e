// Bugs that nobody chose: operators and numbers changed at places that a seed draws.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from './setup.mjs';

/** Folders, and the tests that answer for them. @type {readonly { folder: string, end: string, tests: readonly string[] }[]} */
const places = [
  { folder: 'src/methods', end: '.ts', tests: ['tests/methods', 'tests/measure', 'tests/engine/free-runs'] },
  {
    folder: 'src/measure',
    end: '.ts',
    tests: ['tests/measure', 'tests/study', 'tests/cli/sweep', 'tests/cli/select'],
  },
  { folder: 'gpu/cpu', end: '.ts', tests: ['tests/gpu/cpu', 'tests/measure'] },
  { folder: 'gpu/operations', end: '.wgsl', tests: ['tests/gpu/webgpu'] },
  { folder: 'gpu/operations', end: 'cpu.ts', tests: ['tests/gpu/cpu', 'tests/measure'] },
];

/** What is looked for, and what stands there instead. @type {readonly (readonly [RegExp, string])[]} */
const changes = [
  [/ < /g, ' <= '],
  [/ <= /g, ' < '],
  [/ > /g, ' >= '],
  [/ >= /g, ' > '],
  [/ \+ 1\b/g, ''],
  [/ - 1\b/g, ''],
  [/ \+ /g, ' - '],
  [/ - /g, ' + '],
  [/ \* /g, ' / '],
  [/ \/ /g, ' * '],
  [/ && /g, ' || '],
  [/ === /g, ' !== '],
  [/ == /g, ' != '],
  [/Math\.floor/g, 'Math.ceil'],
  [/\bmin\(/g, 'max('],
  [/\bmax\(/g, 'min('],
  [/\.start\b/g, '.end'],
  [/\b0\b(?![.x])/g, '1'],
];

/** @param {string} folder @returns {string[]} */
function filesIn(folder) {
  return readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)));
}

/** Places in code: neither comments nor imports, types or sentences. @param {string} text @param {number} at */
function isCode(text, at) {
  const start = text.lastIndexOf('\n', at) + 1;
  const line = text.slice(start, text.indexOf('\n', at));
  const before = text.slice(start, at);
  if (/^\s*(\*|\/\/|\/\*|import|export type|export \*|readonly|help:|label:|summary:|title:)/.test(line))
    return false;
  if (before.includes('//') || /['`"]/.test(before)) return false;
  return !/=>|interface|: string|throw new/.test(line);
}

/** @param {number} count @param {number} seed @returns {import('./mutants.mjs').Mutant[]} */
export function randomMutants(count, seed) {
  /** @type {import('./mutants.mjs').Mutant[]} */
  const all = [];
  for (const { folder, end, tests } of places) {
    for (const file of filesIn(folder)
      .filter((name) => name.endsWith(end))
      .sort()) {
      const text = readFileSync(join(root, file), 'utf8');
      for (const [pattern, to] of changes) {
        for (const match of text.matchAll(pattern)) {
          if (!isCode(text, match.index)) continue;
          const line = text.slice(0, match.index).split('\n').length;
          all.push({
            name: `line ${line}, "${match[0]}" becomes "${to}"`,
            file,
            from: match[0],
            to,
            at: match.index,
            tests,
          });
        }
      }
    }
  }
  let state = seed >>> 0;
  const draw = () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Array.from({ length: Math.min(count, all.length) }, () =>
    all.splice(Math.floor(draw() * all.length), 1),
  ).flat();
}
