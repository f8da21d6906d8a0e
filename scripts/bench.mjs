// Bundles bench/index.ts and runs it with the arguments given, on the machine's GPU if Dawn finds one, else on SwiftShader.
// Then opens the page in Chromium, where there is one, for what only a page can tell. --against PATH: another checkout, which
// the section `opening` compares with.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureInstalled, root } from './setup.mjs';

/** Sections that are programs of their own: most drive a browser. Slow ones run only if they are asked for. */
const PROGRAM_SECTIONS = {
  start: {
    title: 'From opening the page to its numbers, in Chromium on SwiftShader',
    program: ['bench/start.mjs', '--repeat', '1'],
    isSlow: false,
    needsPage: true,
  },
  'map-page': {
    title: 'Six hundred gestures on the map of the page, in Chromium on SwiftShader',
    program: ['bench/map-page.mjs'],
    isSlow: true,
    needsPage: true,
  },
  opening: {
    title: 'Opening the default study',
    program: ['bench/opening.mjs'],
    isSlow: true,
    needsPage: false,
  },
};

ensureInstalled();
const { ensureBundle } = await import('./bundle.mjs');
const { adapterEnvironment } = await import('./adapter.mjs');
const { findBrowser } = await import('./browser.mjs');

/** @param {string[]} args @param {NodeJS.ProcessEnv} env */
function run(args, env) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  if (status !== 0) process.exit(status ?? 1);
}

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    methods: { type: 'string' },
    backend: { type: 'string' },
    json: { type: 'string' },
    against: { type: 'string' },
  },
});
const asked = values.only?.split(',').filter(Boolean);
const elsewhere = asked?.filter((name) => !(name in PROGRAM_SECTIONS));
if (!elsewhere || elsewhere.length > 0) {
  const args = [
    ...(elsewhere ? ['--only', elsewhere.join(',')] : []),
    ...(values.methods ? ['--methods', values.methods] : []),
    ...(values.backend ? ['--backend', values.backend] : []),
    ...(values.json ? ['--json', values.json] : []),
  ];
  const program = await ensureBundle('bench/index.ts', 'bench');
  run([program, ...args], adapterEnvironment());
}
for (const [name, { title, program, isSlow, needsPage }] of Object.entries(PROGRAM_SECTIONS)) {
  if (asked ? !asked.includes(name) : isSlow || (needsPage && values.backend === 'cpu')) continue;
  console.log(`\n${title}`);
  const [path, ...args] = program;
  if (needsPage) {
    try {
      findBrowser();
    } catch (error) {
      console.log(`left out: ${/** @type {Error} */ (error).message}`);
      continue;
    }
  } else {
    if (values.backend) args.push('--backend', values.backend);
    if (values.against) args.push('--against', values.against);
  }
  run([join(root, path ?? ''), ...args], process.env);
}
