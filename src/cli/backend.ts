/** The backend of the command line: WebGPU through the npm package `webgpu` (Dawn), or the CPU. */
import type { BackendName, Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { openBackend } from '../study/backend';
import { UserError } from '../user-error';
import { hasVulkanLoader } from './vulkan';

/** Opens a backend. Forced WebGPU that does not work is an error here: a script wants to know. */
export async function openCommandBackend(wanted: 'auto' | BackendName): Promise<Ops> {
  const { ops, facts, problem } = await openBackend(wanted, async () => {
    if (!hasVulkanLoader()) {
      throw new UserError(
        'WebGPU needs a Vulkan loader (libvulkan.so.1), and none is installed; use the CPU backend.',
      );
    }
    const { create, globals } = await import('webgpu').catch(() => {
      throw new UserError(
        'WebGPU needs the npm package "webgpu", which is not installed; use the CPU backend.',
      );
    });
    Object.assign(globalThis, globals);
    return createWebGpuOps({ gpu: create([]) });
  });
  if (wanted === 'webgpu' && facts.name !== 'webgpu') {
    ops.destroy();
    throw new UserError(problem ?? facts.reason);
  }
  if (process.stderr.isTTY) process.stderr.write(`${facts.description}. ${facts.reason}\n`);
  return ops;
}
