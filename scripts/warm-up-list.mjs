// Writes gpu/webgpu/warm-up-list.json, the pipelines that are compiled while the page starts. To be run after a kernel
// or its constants have changed; without it what is new is compiled at its first use.
import { spawnSync } from 'node:child_process';
import { ensureInstalled } from './setup.mjs';

ensureInstalled();
const { ensureBundle } = await import('./bundle.mjs');
const program = await ensureBundle('bench/write-warm-up-list.ts', 'write-warm-up-list');
process.exitCode = spawnSync(process.execPath, [program], { stdio: 'inherit' }).status ?? 1;
