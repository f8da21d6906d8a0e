// Makes the generated passages of README.md, CONTRIBUTING.md and docs/ anew; a test fails where one is stale.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'vite';
import { documents } from './documents.mjs';
import { root } from './setup.mjs';

// Methods load parts of themselves when they run, so the modules stay at hand until all is made.
const server = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
});
/** @type {typeof import('./docs-passages.ts')} */
const passages = /** @type {any} */ (await server.ssrLoadModule('/scripts/docs-passages.ts'));
for (const name of documents()) {
  const before = readFileSync(join(root, name), 'utf8');
  const after = await passages.fillPassages(before);
  if (after === before) continue;
  writeFileSync(join(root, name), after);
  console.log(`${name} has new passages`);
}
await server.close();
