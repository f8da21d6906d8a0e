/**
 * Whether Dawn can find a Vulkan loader. It says so itself when it cannot, in its own words and on our standard error, which
 * belongs to one sentence of ours.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const LIBRARY = 'libvulkan.so.1';

/** True on other systems than Linux: there Dawn does not go through Vulkan, or finds it by itself. */
export function hasVulkanLoader(): boolean {
  if (process.platform !== 'linux') return true;
  const folders = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter((folder) => folder !== '');
  if (folders.some((folder) => existsSync(join(folder, LIBRARY)))) return true;
  for (const program of ['ldconfig', '/sbin/ldconfig']) {
    const { stdout } = spawnSync(program, ['-p'], { encoding: 'utf8' });
    if (stdout) return stdout.includes(LIBRARY);
  }
  // Nothing to ask: let Dawn try.
  return true;
}
