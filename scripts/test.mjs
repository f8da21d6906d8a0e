// Sets up and runs everything: type check, lint, dead exports, build, sizes, and all tests, in Node and in a Chromium.
import { spawnSync } from 'node:child_process';
import { join, relative } from 'node:path';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();

const counts = { passed: 0, failed: 0, skipped: 0 };

/**
 * Runs a script of this folder, or else a command of node_modules/.bin; counts as one check.
 * @param {string} name @param {string[]} command
 */
function check(name, command) {
  const startMs = performance.now();
  const [program = '', ...args] = command;
  const { status } = program.endsWith('.mjs')
    ? spawnSync(process.execPath, [join(root, 'scripts', program), ...args], { cwd: root, stdio: 'inherit' })
    : spawnSync(join(root, 'node_modules', '.bin', program), args, {
        cwd: root,
        stdio: 'inherit',
        shell: process.platform === 'win32',
      });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${status === 0 ? 'passed' : 'FAILED'}  ${name}  ${seconds} s`);
  counts[status === 0 ? 'passed' : 'failed'] += 1;
}

check('type check', ['tsc']);
check('lint', ['biome', 'check', '--error-on-warnings']);
check('dead exports', ['knip', '--no-progress']);
check('build', ['vite', 'build', '--logLevel', 'warn']);
check('sizes', ['sizes.mjs']);

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
