// Makes the generated passages of README.md, CONTRIBUTING.md and docs/ anew; a test fails where one is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runnerImport } from 'vite';
import { documents } from './documents.mjs';
import { root } from './setup.mjs';

/** @type {{ module: typeof import('./docs-passages.ts') }} */
const { module } = await runnerImport(join(root, 'scripts', 'docs-passages.ts'), {
  root,
  configFile: false,
  logLevel: 'error',
});
for (const name of documents()) {
  const before = readFileSync(join(root, name), 'utf8');
  const after = module.fillPassages(before);
  if (after === before) continue;
  writeFileSync(join(root, name), after);
  console.log(`${name} has new passages`);
}
