// Makes docs/kept.svg and the data behind it and behind the page's small pictures: what each method keeps of a short text. A test runs the
// methods again and fails where the data is stale.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'vite';
import { root } from './setup.mjs';

const server = await createServer({
  root,
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
});
/** @type {typeof import('./kept-pictures.ts')} */
const { makeKeptPictures } = /** @type {any} */ (await server.ssrLoadModule('/scripts/kept-pictures.ts'));
const made = await makeKeptPictures();
writeFileSync(join(root, 'components/method/kept-pictures.json'), `${JSON.stringify(made, null, 2)}\n`);
/** @type {typeof import('./kept-sheet.ts')} */
const { keptSheet } = /** @type {any} */ (await server.ssrLoadModule('/scripts/kept-sheet.ts'));
writeFileSync(join(root, 'docs/kept.svg'), keptSheet(made));
await server.close();
