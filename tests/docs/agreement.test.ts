/** The table of docs/methods.md, "Agreement with the references", has every reference run of every method. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../../scripts/setup.mjs';
import { knownRuns } from '../methods/fixture';

const HOW =
  'run WRITE_AGREEMENT=1 npx vitest run tests/methods/fixtures-cpu.test.ts tests/methods/fixtures-webgpu.test.ts, then node scripts/docs.mjs';

it('names every run', () => {
  const document = readFileSync(join(root, 'docs/methods.md'), 'utf8');
  expect(
    knownRuns().filter((run) => !document.includes(`| ${run} |`)),
    HOW,
  ).toEqual([]);
});
