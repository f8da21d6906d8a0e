#!/usr/bin/env node
// The command line: bundles src/cli.ts when a source is newer than the bundle, then runs it in this process.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureInstalled, root } from './setup.mjs';

let program = join(root, 'dist', 'cli.js');
if (existsSync(join(root, 'src'))) {
  ensureInstalled();
  const { ensureBundle } = await import('./bundle.mjs');
  program = await ensureBundle('src/cli.ts', 'cli');
}
await import(pathToFileURL(program).href);
