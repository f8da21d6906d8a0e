// Takes the summary of evaluations into docs/comparison.json: node scripts/comparison.mjs context.json question.json. Their tables in
// docs/comparison.md then are made by scripts/docs.mjs.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

const read = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
const [{ version, model, modelDigest, backend, device, firstSeed }] = read;
/** @param {unknown} value */
const round = (value) => (typeof value === 'number' ? Number(value.toPrecision(3)) : null);
const cells = read
  .flatMap((file) => file.cells)
  .map(({ task, tokens, label, evictAfter, right, means }) => ({
    ...{ task, tokens, label, evictAfter, right },
    ...Object.fromEntries(Object.entries(means).map(([name, value]) => [name, round(value)])),
  }));
const head = JSON.stringify({ version, model, modelDigest, backend, device, firstSeed });
const lines = cells.map((cell) => JSON.stringify(cell)).join(',\n');
writeFileSync(join(root, 'docs', 'comparison.json'), `${head.slice(0, -1)},"cells":[\n${lines}\n]}\n`);
