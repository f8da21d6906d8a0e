// Puts bugs into methods, measurements and kernels, one at a time, and demands that the tests named for each go red.
//
//     npm run mutate                             the list of scripts/mutants.mjs
//     npm run mutate -- --only NAME              of it, those whose name or file has NAME
//     npm run mutate -- --random 40 --seed 7     bugs that nobody chose, against the tests of their folder
//
// By hand and not by a mutation framework: kernels are WGSL, which none of them reads, and a mutant names its test.
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { equivalents, mutants } from './mutants.mjs';
import { randomMutants } from './random-mutants.mjs';
import { ensureInstalled, fail, root } from './setup.mjs';

/** @typedef {import('./mutants.mjs').Mutant} Mutant */

ensureInstalled();

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    random: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});

const LANES = 2;
/** A test that takes this much longer than without a bug has seen it. */
const LONGEST_MILLISECONDS = 180_000;
const LONGEST_CLEAN_MILLISECONDS = 1_200_000;
const copied = ['src', 'gpu', 'components', 'samples', 'tests', 'scripts', 'bench', 'docs'];
const settings = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'vite.config.ts',
  'vitest.config.ts',
  'index.html',
  'README.md',
];

const chosen = values.random
  ? randomMutants(Number(values.random), Number(values.seed))
  : mutants.filter(
      ({ name, file }) => !values.only || name.includes(values.only) || file.includes(values.only),
    );
if (chosen.length === 0) fail('No mutant has that name.');

/** A copy of the program in which bugs can be put. @returns {string} */
function copyOfTree() {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-mutants-'));
  for (const name of copied) cpSync(join(root, name), join(folder, name), { recursive: true });
  for (const name of settings) cpSync(join(root, name), join(folder, name));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** Runs tests, the first failure ends them. @param {string} folder @param {readonly string[]} tests @param {number} longest @returns {Promise<{ isRed: boolean, output: string }>} */
function test(folder, tests, longest = LONGEST_MILLISECONDS) {
  return new Promise((resolve) => {
    const args = ['run', ...tests, '--project', 'unit', '--bail', '1', '--reporter', 'dot'];
    const run = spawn(join(root, 'node_modules', '.bin', 'vitest'), args, {
      cwd: folder,
      detached: true,
      env: { ...process.env, NO_COLOR: '1' },
    });
    let output = '';
    run.stdout.on('data', (data) => (output += data));
    run.stderr.on('data', (data) => (output += data));
    const watch = setTimeout(() => {
      output += '\nnot at its end in time';
      try {
        process.kill(-(/** @type {number} */ (run.pid)), 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }, longest);
    run.on('close', (status) => {
      clearTimeout(watch);
      resolve({ isRed: status !== 0, output });
    });
  });
}

/** @param {string} folder @param {Mutant} mutant @returns {string | null} the file as it was; null: the text to change is not there once */
function apply(folder, { file, from, to, at }) {
  const path = join(folder, file);
  const before = readFileSync(path, 'utf8');
  const first = at ?? before.indexOf(from);
  if (first < 0 || before.slice(first, first + from.length) !== from) return null;
  if (at === undefined && before.indexOf(from, first + 1) >= 0) return null;
  writeFileSync(path, before.slice(0, first) + to + before.slice(first + from.length));
  return before;
}

const started = performance.now();
const folders = Array.from({ length: LANES }, copyOfTree);
const waiting = [...chosen];
/** @type {{ mutant: Mutant, end: 'killed' | 'survived' | 'stale' }[]} */
const ends = [];

/** @param {string} folder */
async function lane(folder) {
  for (let mutant = waiting.shift(); mutant; mutant = waiting.shift()) {
    const before = apply(folder, mutant);
    /** @type {'killed' | 'survived' | 'stale'} */
    let end = 'stale';
    if (before !== null) {
      const { isRed } = await test(folder, mutant.tests);
      end = isRed ? 'killed' : 'survived';
      writeFileSync(join(folder, mutant.file), before);
    }
    ends.push({ mutant, end });
    console.log(`${end.padEnd(8)}  ${mutant.file}: ${mutant.name}`);
  }
}

try {
  const tests = [...new Set(chosen.flatMap((mutant) => mutant.tests))];
  const clean = await test(folders[0] ?? '', tests, LONGEST_CLEAN_MILLISECONDS);
  if (clean.isRed) {
    console.error(clean.output.slice(-4000));
    fail('The tests fail without any mutant; mend them first.');
  }
  await Promise.all(folders.map(lane));
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** @param {'killed' | 'survived' | 'stale'} kind */
const of = (kind) => ends.filter(({ end }) => end === kind).map(({ mutant }) => mutant);
const [survived, stale] = [of('survived'), of('stale')];
for (const { file, from, to } of survived) console.log(`\nsurvived in ${file}:\n- ${from}\n+ ${to}`);
for (const { file, name } of stale)
  console.log(`stale: ${file} no longer has what "${name}" changes, or has it twice`);
if (!values.random && !values.only) {
  for (const { name, file, why } of equivalents) console.log(`equivalent  ${file}: ${name}: ${why}`);
}
const minutes = ((performance.now() - started) / 60_000).toFixed(1);
console.log(
  `\n${of('killed').length} of ${ends.length} mutants killed, ${survived.length} survived, ${stale.length} stale, ${minutes} minutes`,
);
process.exitCode = survived.length + stale.length > 0 && !values.random ? 1 : 0;
