// Bundles bench/index.ts and runs it with the arguments given, on the machine's GPU if Dawn finds one, else on SwiftShader.
import { spawnSync } from 'node:child_process';
import { ensureInstalled, root } from './setup.mjs';

ensureInstalled();
const { ensureBundle } = await import('./bundle.mjs');
const { swiftShaderEnvironment } = await import('./browser.mjs');

const adapterProbe = `
  const { create } = await import('webgpu');
  process.exit((await create([]).requestAdapter()) ? 0 : 1);
`;
const hasGpu =
  spawnSync(process.execPath, ['--input-type=module', '-e', adapterProbe], { cwd: root, stdio: 'ignore' })
    .status === 0;
const program = await ensureBundle('bench/index.ts', 'bench');
const { status } = spawnSync(process.execPath, [program, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, ...(hasGpu ? {} : swiftShaderEnvironment()) },
});
process.exitCode = status ?? 1;
