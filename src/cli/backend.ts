/** The backend of the command line: WebGPU through the npm package `webgpu` (Dawn), or the CPU. */
import { totalmem } from 'node:os';
import { createCpuOps } from '../../gpu/cpu';
import type { BackendName, Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { UserError } from '../base/user-error';
import { openBackend } from '../engine/backend';
import { hasVulkanLoader } from './vulkan';

/**
 * Opens a backend. Forced WebGPU that does not work is an error here: a script wants to know. `memoryBytes`: what all buffers
 * together may take; by default, half of the machine's memory on the CPU, what the device suggests on a GPU.
 */
export async function openCommandBackend(
  wanted: 'auto' | BackendName,
  memoryBytes: number | null = null,
): Promise<Ops> {
  const openCpu = (): Ops => createCpuOps({ memoryBytes: memoryBytes ?? totalmem() / 2 });
  const openWebGpu = async (): Promise<Ops> => {
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
    return createWebGpuOps({ gpu: create([]), ...(memoryBytes ? { capabilities: { memoryBytes } } : {}) });
  };
  const { ops, facts, problem } = await openBackend(wanted, openWebGpu, { openCpu, isTriedWhole: true });
  if (wanted === 'webgpu' && facts.name !== 'webgpu') {
    ops.destroy();
    throw new UserError(problem ?? facts.reason);
  }
  if (process.stderr.isTTY) process.stderr.write(`${facts.description}. ${facts.reason}\n`);
  return ops;
}
