// Bundles bench/index.ts and runs it with the arguments given, on the machine's GPU if Dawn finds one, else on SwiftShader.
// Then opens the page in Chromium, where there is one, for what only a page can tell.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled, root } from './setup.mjs';

/** Sections that are programs of their own: they drive a browser. Slow ones run only if they are asked for. */
const PAGE_SECTIONS = {
  start: {
    title: 'From opening the page to its numbers, in Chromium on SwiftShader',
    program: ['bench/start.mjs', '--repeat', '1'],
    isSlow: false,
  },
  'map-page': {
    title: 'Six hundred gestures on the map of the page, in Chromium on SwiftShader',
    program: ['bench/map-page.mjs'],
    isSlow: true,
  },
};

ensureInstalled();
const { ensureBundle } = await import('./bundle.mjs');
const { findBrowser, vulkanEnvironment } = await import('./browser.mjs');

const adapterProbe = `
  const { create } = await import('webgpu');
  process.exit((await create([]).requestAdapter()) ? 0 : 1);
`;

/** Whether Dawn finds an adapter in a process with these variables. @param {NodeJS.ProcessEnv} env */
function findsAdapter(env) {
  const args = ['--input-type=module', '-e', adapterProbe];
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'ignore', env }).status === 0;
}

/** @param {string[]} args @param {NodeJS.ProcessEnv} env */
function run(args, env) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  if (status !== 0) process.exit(status ?? 1);
}

const { values } = parseArgs({
  options: { only: { type: 'string' }, backend: { type: 'string' }, json: { type: 'string' } },
});
const asked = values.only?.split(',').filter(Boolean);
const elsewhere = asked?.filter((name) => !(name in PAGE_SECTIONS));
if (!elsewhere || elsewhere.length > 0) {
  const environments = [
    process.env,
    { ...process.env, ...vulkanEnvironment('hardware') },
    { ...process.env, ...vulkanEnvironment('swiftshader') },
  ];
  const args = [
    ...(elsewhere ? ['--only', elsewhere.join(',')] : []),
    ...(values.backend ? ['--backend', values.backend] : []),
    ...(values.json ? ['--json', values.json] : []),
  ];
  const program = await ensureBundle('bench/index.ts', 'bench');
  run([program, ...args], environments.find(findsAdapter) ?? process.env);
}
for (const [name, { title, program, isSlow }] of Object.entries(PAGE_SECTIONS)) {
  if (asked ? !asked.includes(name) : isSlow || values.backend === 'cpu') continue;
  console.log(`\n${title}`);
  try {
    findBrowser();
  } catch (error) {
    console.log(`left out: ${/** @type {Error} */ (error).message}`);
    continue;
  }
  run([join(root, program[0]), ...program.slice(1)], process.env);
}
