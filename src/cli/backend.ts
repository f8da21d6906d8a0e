/** The backend of the command line: WebGPU through the npm package `webgpu` (Dawn), or the CPU. */
import type { BackendName, Ops } from '../../gpu/ops';
import { createWebGpuOps } from '../../gpu/webgpu';
import { openBackend } from '../study/backend';
import { UserError } from '../user-error';

/** Opens a backend. Forced WebGPU that does not work is an error here: a script wants to know. */
export async function openCommandBackend(wanted: 'auto' | BackendName): Promise<Ops> {
  const { ops, facts } = await openBackend(wanted, async () => {
    const { create, globals } = await import('webgpu').catch(() => {
      throw new UserError('the npm package "webgpu" is not installed');
    });
    Object.assign(globalThis, globals);
    return createWebGpuOps({ gpu: create([]) });
  });
  if (wanted === 'webgpu' && facts.name !== 'webgpu') {
    ops.destroy();
    throw new UserError(`WebGPU was asked for and cannot be used: ${facts.reason} Use --backend cpu.`);
  }
  if (process.stderr.isTTY) process.stderr.write(`${facts.description}. ${facts.reason}\n`);
  return ops;
}
