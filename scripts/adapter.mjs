import { spawnSync } from 'node:child_process';
import { vulkanEnvironment } from './browser.mjs';
import { root } from './setup.mjs';

const ADAPTER_PROBE = `
  const { create } = await import('webgpu');
  process.exit((await create([]).requestAdapter()) ? 0 : 1);
`;

/** Whether Dawn finds an adapter in a process with these variables. @param {NodeJS.ProcessEnv} env */
function findsAdapter(env) {
  const args = ['--input-type=module', '-e', ADAPTER_PROBE];
  return spawnSync(process.execPath, args, { cwd: root, stdio: 'ignore', env }).status === 0;
}

/**
 * Variables of a process in which Dawn finds an adapter: the machine's GPU if there is one, else SwiftShader.
 * @returns {NodeJS.ProcessEnv}
 */
export function adapterEnvironment() {
  const environments = [
    process.env,
    { ...process.env, ...vulkanEnvironment('hardware') },
    { ...process.env, ...vulkanEnvironment('swiftshader') },
  ];
  return environments.find(findsAdapter) ?? process.env;
}
