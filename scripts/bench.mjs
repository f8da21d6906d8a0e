// Bundles bench/index.ts and runs it with the arguments given, on the machine's GPU if Dawn finds one, else on SwiftShader.
import { spawnSync } from 'node:child_process';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();
const { ensureBundle } = await import('./bundle.mjs');
const { vulkanEnvironment } = await import('./browser.mjs');

const adapterProbe = `
  const { create } = await import('webgpu');
  process.exit((await create([]).requestAdapter()) ? 0 : 1);
`;

/** Whether Dawn finds an adapter in a process with these variables. @param {NodeJS.ProcessEnv} env */
function findsAdapter(env) {
  const args = ['--input-type=module', '-e', adapterProbe];
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'ignore', env }).status === 0;
}

const environments = [
  process.env,
  { ...process.env, ...vulkanEnvironment('hardware') },
  { ...process.env, ...vulkanEnvironment('swiftshader') },
];
const program = await ensureBundle('bench/index.ts', 'bench');
const { status } = spawnSync(process.execPath, [program, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: environments.find(findsAdapter) ?? process.env,
});
process.exitCode = status ?? 1;
