// Sets up and runs everything: type check, lint, dead exports, build, sizes, and all tests, in Node and in a Chromium.
import { spawn } from 'node:child_process';
import { join, relative } from 'node:path';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();

/** @type {['ignore', 'pipe', 'pipe']} */
const stdio = ['ignore', 'pipe', 'pipe'];
const counts = { passed: 0, failed: 0, skipped: 0 };

/**
 * Runs a script of this folder, or else a command of node_modules/.bin, and prints what it says once it has ended; counts as one check.
 * @param {string} name @param {string[]} command
 */
async function check(name, command) {
  const startMs = performance.now();
  const [program = '', ...args] = command;
  const run = program.endsWith('.mjs')
    ? spawn(process.execPath, [join(root, 'scripts', program), ...args], { cwd: root, stdio })
    : spawn(join(root, 'node_modules', '.bin', program), args, {
        cwd: root,
        stdio,
        shell: process.platform === 'win32',
      });
  let output = '';
  run.stdout?.on('data', (data) => (output += data));
  run.stderr?.on('data', (data) => (output += data));
  const status = await new Promise((resolve) => {
    run.on('error', (error) => {
      output += `${error.message}\n`;
      resolve(null);
    });
    run.on('close', resolve);
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${output}${status === 0 ? 'passed' : 'FAILED'}  ${name}  ${seconds} s`);
  counts[status === 0 ? 'passed' : 'failed'] += 1;
}

// Side by side: each spends a part of its time on one core. Sizes are those of what was built.
await Promise.all([
  check('type check', ['tsc']),
  check('lint', ['biome', 'check', '--error-on-warnings']),
  check('dead exports', ['knip', '--no-progress']),
  check('build', ['vite', 'build', '--logLevel', 'warn']).then(() => check('sizes', ['sizes.mjs'])),
]);

const { startVitest } = await import('vitest/node');
const vitest = await startVitest('test', process.argv.slice(2), { root, watch: false });

const modules = vitest.state.getTestModules();
const rows = modules.map((module) => {
  const { collectDuration, duration, environmentSetupDuration, prepareDuration, setupDuration } =
    module.diagnostic();
  const milliseconds =
    collectDuration + duration + environmentSetupDuration + prepareDuration + setupDuration;
  return { seconds: milliseconds / 1000, file: relative(root, module.moduleId) };
});
console.log('\nSeconds per file');
for (const { seconds, file } of rows.sort((a, b) => b.seconds - a.seconds)) {
  console.log(`${seconds.toFixed(1).padStart(7)}  ${file}`);
}

/** @type {string[]} */
const skipped = [];
for (const module of modules) {
  for (const test of module.children.allTests()) {
    const state = test.result().state;
    if (state === 'passed') counts.passed += 1;
    else if (state === 'failed') counts.failed += 1;
    else skipped.push(`${relative(root, module.moduleId)}: ${test.fullName}`);
  }
  // A file that did not load and a block whose set-up failed have errors of their own, and tests that never ran.
  const broken = [module, ...module.children.allSuites()].filter((part) => part.errors().length > 0);
  counts.failed += broken.length;
}
counts.failed += vitest.state.getUnhandledErrors().length;
if (modules.length === 0) {
  console.log('No test file was found.');
  counts.failed += 1;
}
await vitest.close();

counts.skipped = skipped.length;
if (skipped.length > 0) {
  console.log(`\n!!! ${skipped.length} SKIPPED: these tests did not run and prove nothing`);
  for (const name of skipped) console.log(`    ${name}`);
}
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
