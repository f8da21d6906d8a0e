// What a visitor downloads, against the numbers committed in sizes.json: run after `vite build`.
//   node scripts/sizes.mjs            fails where something is larger than committed, or a lazy chunk is not listed
//   node scripts/sizes.mjs --write    takes today's numbers, lower or higher; a higher one needs a new reason beside it
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { fail, root } from './setup.mjs';

/** @typedef {{ kB: number, reason: string }} Entry thousands of gzipped bytes, and why so many */
/** @typedef {Record<string, Entry>} Sizes by name: `page and worker`, `styles`, `recorded study`, `lazy: NAME` */

const kilobytes = (/** @type {Uint8Array} */ bytes) => gzipSync(bytes, { level: 9 }).byteLength / 1000;

/** `assets/closed-form-DH4g_O-M.js` without folder and hash. @param {string} file */
const stem = (file) => file.replace(/-[\w-]{8}\.\w+$/, '');

/** Chunks that a chunk imports, and those that they import. @param {string} folder @param {string} file @param {Set<string>} found */
function importsOf(folder, file, found = new Set()) {
  for (const [, name = ''] of readFileSync(join(folder, file), 'utf8').matchAll(
    /(?:from|import)\s*"\.\/([^"]+\.js)"/g,
  )) {
    if (found.has(name)) continue;
    found.add(name);
    importsOf(folder, name, found);
  }
  return found;
}

/**
 * Sizes of a built page. A chunk that neither the page nor the worker loads at its start is lazy; one that both load is the
 * page's.
 * @param {string} folder of the built page
 * @param {string} study file of the recorded study
 * @returns {Record<string, number>} kB, gzipped, by name
 */
export function measureSizes(folder, study) {
  const page = readFileSync(join(folder, 'index.html'), 'utf8');
  /** @type {Record<string, number>} */
  const sizes = { page: 0, worker: 0, styles: 0, 'recorded study': kilobytes(readFileSync(study)) };
  const assets = join(folder, 'assets');
  const files = readdirSync(assets);
  const workers = files.filter((file) => stem(file) === 'worker' && file.endsWith('.js'));
  const ofWorkers = new Set(workers.flatMap((file) => [file, ...importsOf(assets, file)]));
  for (const file of files) {
    const isStyle = file.endsWith('.css');
    if (!isStyle && !file.endsWith('.js')) continue;
    let name = `lazy: ${stem(file)}`;
    if (isStyle) name = 'styles';
    else if (page.includes(`assets/${file}`)) name = 'page';
    else if (ofWorkers.has(file)) name = 'worker';
    sizes[name] = (sizes[name] ?? 0) + kilobytes(readFileSync(join(assets, file)));
  }
  return sizes;
}

/**
 * What is wrong with measured sizes, a sentence each. Page and worker are held together: code may move between them.
 * @param {Record<string, number>} measured
 * @param {Sizes} committed
 */
export function judgeSizes(measured, committed) {
  /** @type {string[]} */
  const problems = [];
  for (const [name, size] of Object.entries(together(measured))) {
    const entry = committed[name];
    if (!entry) problems.push(`${name} (${size.toFixed(1)} kB) is not in sizes.json: list it with a reason.`);
    else if (Math.round(size * 10) > Math.round(entry.kB * 10))
      problems.push(
        `${name} has ${size.toFixed(1)} kB and sizes.json allows ${entry.kB}: make it smaller, or raise the number and say why.`,
      );
  }
  for (const name of Object.keys(committed))
    if (!(name in together(measured)))
      problems.push(`${name} stands in sizes.json and is not built: take it out.`);
  for (const [name, { reason }] of Object.entries(committed))
    if (!reason?.trim()) problems.push(`${name} has no reason in sizes.json.`);
  return problems;
}

/**
 * Sizes as measured. One that has grown, or is new, has no reason yet: why it was smaller is no reason for more.
 * @param {Record<string, number>} measured
 * @param {Sizes} committed
 * @returns {Sizes}
 */
export function takeSizes(measured, committed) {
  const rows = Object.entries(together(measured)).map(([name, size]) => {
    const kB = Math.ceil(size * 10) / 10;
    const before = committed[name];
    return [name, { kB, reason: before && kB <= before.kB ? before.reason : '' }];
  });
  return Object.fromEntries(rows);
}

/** @param {Record<string, number>} measured */
function together({ page = 0, worker = 0, ...others }) {
  return { 'page and worker': page + worker, ...others };
}

function main() {
  const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } });
  const folder = join(root, 'dist', 'app');
  if (!existsSync(join(folder, 'index.html'))) fail('There is no built page: run `npm run build` first.');
  const file = join(root, 'sizes.json');
  /** @type {Sizes} */
  const committed = JSON.parse(readFileSync(file, 'utf8'));
  const measured = measureSizes(folder, join(root, 'samples', 'studies', 'default.json'));
  for (const [name, size] of Object.entries({ ...measured, ...together(measured) })) {
    const entry = committed[name];
    console.log(`${size.toFixed(1).padStart(7)} kB gz  ${name}${entry ? `  (at most ${entry.kB})` : ''}`);
  }
  if (values.write) {
    const taken = takeSizes(measured, committed);
    writeFileSync(file, `${JSON.stringify(taken, null, 2)}\n`);
    for (const [name, { reason }] of Object.entries(taken))
      if (!reason) console.log(`${name} is larger or new: write into sizes.json why.`);
    return;
  }
  const problems = judgeSizes(measured, committed);
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

if (process.argv[1] === import.meta.filename) main();
