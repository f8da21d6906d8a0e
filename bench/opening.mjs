// How long the default study takes to open, part by part: full attention, the probe, its sweep, the free run. What comes out
// is compared with another backend's numbers before anything is timed. With --against PATH another checkout of the program
// opens the same study in turns with this one, each in processes of its own.
//
//   node bench/opening.mjs [--backend webgpu|cpu] [--against PATH] [--rounds 5] [--openings 3]
//   node bench/opening.mjs --build [--against PATH]   only bundles: dist/opening.js and dist/opening-against.js
//   node bench/opening.mjs --run [--backend …]        runs what is bundled; takes Node and the package `webgpu`, nothing else
import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { adapterEnvironment } from '../scripts/adapter.mjs';
import { fail, root } from '../scripts/setup.mjs';

/**
 * @typedef {{ wall: number, user: number, commands: number[] }} Part
 * @typedef {{ parts: Record<string, Part>, numbers: (number | null)[] }} Opening
 */

const PROGRAM = join(root, 'dist', 'opening.js');
const OTHER = join(root, 'dist', 'opening-against.js');
/** Shares are off by no more than this on another backend: rounding moves single keys across a cut. */
const TOLERANCE = 0.01;
const PARTS = [
  { title: 'model', names: ['load'] },
  { title: 'full attention', names: ['fullAttention'] },
  { title: 'probe', names: ['probe'] },
  { title: 'sweep', names: ['sweep'] },
  { title: 'probe and sweep', names: ['probe', 'sweep'] },
  { title: 'free run', names: ['freeRun'] },
  { title: 'opening with its sweep', names: ['load', 'fullAttention', 'probe', 'sweep'] },
  { title: 'everything', names: ['load', 'fullAttention', 'probe', 'sweep', 'freeRun'] },
];
const COMMANDS = ['dispatches', 'readbacks', 'submissions'];

/** @param {string | undefined} against another checkout's folder */
async function build(against) {
  const { bundleOfCheckout, ensureBundle } = await import('../scripts/bundle.mjs');
  await ensureBundle('bench/opening-run.ts', 'opening');
  if (against) await bundleOfCheckout('bench/opening-run.ts', 'opening-against', resolve(against));
  else rmSync(OTHER, { force: true });
}

/**
 * Opens the study in a process of its own.
 * @param {string} program @param {string} backend @param {number} openings @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ device: string, openings: Opening[] }>}
 */
async function open(program, backend, openings, env) {
  const args = [program, '--backend', backend, '--openings', String(openings)];
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const status = await new Promise((ended) => child.once('close', ended));
  if (status !== 0) fail(`${program} failed: see its message above.`);
  const [{ device }, ...rest] = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  return { device, openings: rest };
}

/** @param {(number | null)[]} actual @param {(number | null)[]} expected @param {string} what */
function check(actual, expected, what) {
  if (actual.length === 0 || actual.length !== expected.length) fail(`${what} measures other things`);
  const off = actual.map((value, i) =>
    value === expected[i] ? 0 : Math.abs(Number(value) - Number(expected[i])),
  );
  const most = Math.max(...off);
  // Also false for NaN.
  if (!(most <= TOLERANCE)) fail(`${what} is wrong: a share is off by ${most}`);
  return most;
}

/** @param {number[]} values */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}

/** Median over the openings of the sum over parts. @param {Opening[]} openings @param {string[]} names @param {(part: Part) => number} of */
function medianOf(openings, names, of) {
  return median(
    openings.map(({ parts }) => names.reduce((sum, name) => sum + (parts[name] ? of(parts[name]) : 0), 0)),
  );
}

/** @param {string} title @param {(number | null)[]} mine @param {(number | null)[]} other */
function printRow(title, mine, other) {
  const cells = mine.flatMap((value, i) => {
    const rival = other[i];
    const figures = [value, ...(rival === undefined ? [] : [rival])];
    const ratio = rival === undefined ? [] : [rival ? (Number(value) / rival).toFixed(2) : '–'];
    return [...figures.map((figure) => Number(figure).toFixed(0)), ...ratio];
  });
  console.log(title.padEnd(24) + cells.map((cell) => cell.padStart(11)).join(''));
}

/** @param {string[]} titles @param {boolean} isCompared */
function printHeader(titles, isCompared) {
  const cells = titles.flatMap((title) => (isCompared ? [title, 'against', 'ratio'] : [title]));
  console.log(''.padEnd(24) + cells.map((cell) => cell.padStart(11)).join(''));
}

const { values } = parseArgs({
  options: {
    backend: { type: 'string', default: 'webgpu' },
    against: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    openings: { type: 'string', default: '3' },
    build: { type: 'boolean', default: false },
    run: { type: 'boolean', default: false },
  },
});
if (!['webgpu', 'cpu'].includes(values.backend)) fail('The backend is webgpu or cpu.');
if (!values.run) await build(values.against);
if (!values.build) await main();

async function main() {
  const isGpu = values.backend === 'webgpu';
  const env = isGpu ? adapterEnvironment() : process.env;
  const programs = [PROGRAM, ...(existsSync(OTHER) ? [OTHER] : [])];
  for (const program of programs) {
    const [mine, reference] = [
      await open(program, values.backend, 1, env),
      await open(program, isGpu ? 'cpu' : 'cpu-plain', 1, env),
    ];
    if (program === PROGRAM) console.log(mine.device);
    const off = check(mine.openings[0]?.numbers ?? [], reference.openings[0]?.numbers ?? [], program);
    console.log(
      `${program === PROGRAM ? 'numbers' : 'its numbers'} within ${off.toExponential(1)} of ${reference.device}`,
    );
  }
  // The first opening of a process also compiles.
  const first = programs.map(() => /** @type {Opening[]} */ ([]));
  const warm = programs.map(() => /** @type {Opening[]} */ ([]));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [i, program] of programs.entries()) {
      const { openings } = await open(program, values.backend, Number(values.openings), env);
      first[i]?.push(...openings.slice(0, 1));
      warm[i]?.push(...openings.slice(1));
    }
  }
  const isCompared = programs.length > 1;
  const times = isGpu ? ['wall ms'] : ['user ms', 'wall ms'];
  /** @type {((part: Part) => number)[]} */
  const of = isGpu ? [({ wall }) => wall] : [({ user }) => user, ({ wall }) => wall];
  for (const [title, openings] of /** @type {const} */ ([
    ['first opening', first],
    ['later openings', warm],
  ])) {
    if (!openings[0]?.length) continue;
    console.log(`\n${title} of ${values.rounds} processes, medians of ${openings[0].length}`);
    printHeader(times, isCompared);
    for (const { title, names } of PARTS) {
      const [mine = [], other = []] = openings.map((list) => of.map((what) => medianOf(list, names, what)));
      printRow(title, mine, other);
    }
  }
  if (!isGpu) return;
  console.log('\ncommands of an opening');
  printHeader(COMMANDS, isCompared);
  for (const { title, names } of PARTS) {
    const [mine = [], other = []] = first.map((list) =>
      COMMANDS.map((_, i) => medianOf(list, names, ({ commands }) => commands[i] ?? 0)),
    );
    printRow(title, mine, other);
  }
}
