/**
 * Chooses the backend at start (docs/contracts.md, "Backend choice"): WebGPU if its adapter is no software fallback and passes
 * the self-test, else the CPU. A forced backend that fails falls back with one sentence.
 */
import { createCpuOps } from '../../gpu/cpu';
import type { BackendName, Ops } from '../../gpu/ops';
import type { BackendFacts } from '../study/facts';
import { selfTest } from './self-test';

export interface OpenBackend {
  /** Why WebGPU cannot be used, in a sentence; null where it is used or was not tried. */
  readonly problem: string | null;
  readonly ops: Ops;
  readonly facts: BackendFacts;
}

export interface OpenOptions {
  readonly openCpu?: () => Ops;
  /** Try all of the device now. Otherwise only what reads a text: whoever measures tries the rest (`selfTestFamilies`) first. */
  readonly isTriedWhole?: boolean;
}

/** What a WebGPU opener must give: throws when there is no device. */
export type OpenWebGpu = () => Promise<Ops>;

/** Opens the backend that was asked for, or the best there is. Never throws for lack of a GPU. */
export async function openBackend(
  wanted: 'auto' | BackendName,
  openWebGpu: OpenWebGpu,
  { openCpu = createCpuOps, isTriedWhole = false }: OpenOptions = {},
): Promise<OpenBackend> {
  const onCpu = (why: string, problem: string | null = null): OpenBackend =>
    cpuBackend(openCpu(), why, problem);
  if (wanted === 'cpu') return onCpu('the CPU was asked for');
  let ops: Ops;
  try {
    ops = await openWebGpu();
  } catch (error) {
    return onCpu(`there is no usable WebGPU here: ${sentence(error)}`, sentence(error));
  }
  if (wanted === 'auto' && ops.isSoftware) {
    const { description } = ops;
    ops.destroy();
    return onCpu(
      `the only WebGPU adapter here, ${description}, computes in software and is slower than the CPU backend`,
    );
  }
  try {
    await ops.warmUp('selfTest');
    // The model takes its time to load: reading can be compiled for meanwhile.
    void ops.warmUp('reading');
    const difference = (await selfTest(ops)) ?? (isTriedWhole ? await selfTestOfAll(ops) : null);
    if (difference === null) {
      const why =
        wanted === 'auto'
          ? 'it is here and passed its self-test'
          : 'it was asked for and passed its self-test';
      return {
        problem: null,
        ops,
        facts: { name: 'webgpu', description: ops.description, reason: `WebGPU, because ${why}.` },
      };
    }
    ops.destroy();
    const problem = `WebGPU on ${ops.description} failed its self-test: ${difference}`;
    return onCpu(problem, `${problem}.`);
  } catch (error) {
    ops.destroy();
    const problem = `WebGPU on ${ops.description} failed its self-test: ${sentence(error)}`;
    return onCpu(problem, problem);
  }
}

/** The rest is fetched where it is asked for: a page that computes on the CPU does not need it. */
async function selfTestOfAll(ops: Ops): Promise<string | null> {
  const { selfTestFamilies } = await import('./self-test-families');
  return selfTestFamilies(ops);
}

function cpuBackend(ops: Ops, why: string, problem: string | null): OpenBackend {
  return {
    problem,
    ops,
    facts: { name: 'cpu', description: ops.description, reason: `CPU, because ${why.replace(/\.$/, '')}.` },
  };
}

function sentence(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
