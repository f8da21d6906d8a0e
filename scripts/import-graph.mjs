// Prints the import graph of a checkout: rooms by floor, circles, imports against the floors, fan-in of the most imported files.
// usage: node scripts/import-graph.mjs [--root DIR] [--floors A,B,…]   (floors: the ground first)
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/** Floors of the house, the ground first: a room imports from itself and from the floors before its own. */
export const FLOORS = [
  'src/base',
  'gpu',
  'src/tasks',
  'src/arrival',
  'src/model',
  'src/trace',
  'src/methods',
  'src/measure',
  'src/tiles',
  'src/study',
  'src/engine',
  'src/worker',
  'src/snapshot',
  'src/cli',
  'src/page',
  'components',
];

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s+(?:[\w*{}\s,$]+?\s+from\s+)?['"](\.[^'"]+)['"]|import\(\s*['"](\.[^'"]+)['"]\s*\)|new URL\(\s*['"](\.[^'"]+)['"]\s*,\s*import\.meta\.url/g;

/** @typedef {{from: string, to: string}} Arrow */

/** Every TypeScript module of the product, relative to `root`. @param {string} root @returns {string[]} */
export function modulesOf(root) {
  return ['gpu', 'src', 'components'].flatMap((top) =>
    readdirSync(join(root, top), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.tsx?$/.test(name) && !name.endsWith('.d.ts'))
      .map((name) => join(top, name))
      .sort(),
  );
}

/** Imports between modules of the product, types included. @param {string} root @param {readonly string[]} modules @returns {Arrow[]} */
export function arrowsOf(root, modules) {
  const known = new Set(modules);
  return modules.flatMap((from) => {
    const targets = new Set();
    for (const match of readFileSync(join(root, from), 'utf8').matchAll(IMPORT)) {
      const specifier = (match[1] ?? match[2] ?? match[3] ?? '').replace(/\?.*$/, '');
      const base = relative(root, resolve(root, dirname(from), specifier));
      const endings = ['', '.ts', '.tsx', '/index.ts'];
      const to = endings.map((ending) => base + ending).find((name) => known.has(name));
      if (to && to !== from) targets.add(to);
    }
    return [...targets].map((to) => ({ from, to }));
  });
}

/** The floor a module stands on, as its place in `floors`; −1 for the doors of the house, which import from everywhere. @param {string} module @param {readonly string[]} floors */
export function floorOf(module, floors) {
  return floors.findIndex((floor) => module === floor || module.startsWith(`${floor}/`));
}

/** Imports from a lower floor to a higher one. @param {readonly Arrow[]} arrows @param {readonly string[]} floors */
export function upward(arrows, floors) {
  return arrows.filter(({ from, to }) => {
    const floor = floorOf(from, floors);
    const target = floorOf(to, floors);
    return floor >= 0 && (target < 0 || target > floor);
  });
}

/** Groups of modules that import each other (strongly connected, more than one). @param {readonly string[]} modules @param {readonly Arrow[]} arrows @returns {string[][]} */
export function circles(modules, arrows) {
  /** @type {Map<string, string[]>} */
  const targets = new Map(modules.map((module) => [module, []]));
  for (const { from, to } of arrows) targets.get(from)?.push(to);
  /** @type {Map<string, number>} */
  const order = new Map();
  /** @type {Map<string, number>} */
  const lowest = new Map();
  /** @type {string[]} */
  const stack = [];
  /** @type {string[][]} */
  const found = [];
  // Tarjan's strongly connected components.
  const visit = (/** @type {string} */ module) => {
    const number = order.size;
    order.set(module, number);
    let low = number;
    stack.push(module);
    for (const to of targets.get(module) ?? []) {
      if (!order.has(to)) visit(to);
      if (stack.includes(to)) low = Math.min(low, lowest.get(to) ?? order.get(to) ?? low);
    }
    lowest.set(module, low);
    if (low === number) {
      const group = stack.splice(stack.indexOf(module));
      if (group.length > 1) found.push(group.sort());
    }
  };
  for (const module of modules) if (!order.has(module)) visit(module);
  return found;
}

function main() {
  const { values } = parseArgs({ options: { root: { type: 'string' }, floors: { type: 'string' } } });
  const root = resolve(values.root ?? join(dirname(fileURLToPath(import.meta.url)), '..'));
  const floors = values.floors?.split(',') ?? FLOORS;
  const modules = modulesOf(root);
  const arrows = arrowsOf(root, modules);
  console.log(`${modules.length} modules, ${arrows.length} imports between them`);
  console.log('\nFloors, the ground first (modules; imports from other floors):');
  for (const floor of floors) {
    const within = modules.filter((module) => floors[floorOf(module, floors)] === floor);
    const sources = arrows.filter(({ from, to }) => within.includes(from) && !within.includes(to));
    const counts = floors.flatMap((other) => {
      const count = sources.filter(({ to }) => floors[floorOf(to, floors)] === other).length;
      return count ? [`${other} ${count}`] : [];
    });
    console.log(`  ${floor} (${within.length}): ${counts.join(', ') || '–'}`);
  }
  const groups = circles(modules, arrows);
  console.log(`\nCircles: ${groups.length}`);
  for (const group of groups) console.log(`  ${group.join(' ↔ ')}`);
  const wrong = upward(arrows, floors);
  console.log(`\nImports upward: ${wrong.length}`);
  for (const { from, to } of wrong) console.log(`  ${from} → ${to}`);
  console.log('\nMost imported:');
  const fanIn = new Map();
  for (const { to } of arrows) fanIn.set(to, (fanIn.get(to) ?? 0) + 1);
  for (const [module, count] of [...fanIn].sort((a, b) => b[1] - a[1]).slice(0, 10))
    console.log(`  ${count}  ${module}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
