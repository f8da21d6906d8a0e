import type { CompileStage } from '../ops';
import type { Capabilities } from './capabilities';
import type { KernelConstants } from './unroll';
import list from './warm-up-list.json';

/** A kernel by its name, with one set of constants. */
export interface PipelineName {
  readonly kernel: string;
  readonly constants: KernelConstants;
}

export type WarmUpList = Readonly<Record<CompileStage, readonly PipelineName[]>>;

/** Devices that get different kernels for the same work. */
export const DEVICE_CLASSES = ['software', 'subgroups', 'portable'] as const;
export type DeviceClass = (typeof DEVICE_CLASSES)[number];

function classOf({ isFallbackAdapter, subgroups }: Capabilities): DeviceClass {
  if (isFallbackAdapter) return 'software';
  return subgroups ? 'subgroups' : 'portable';
}

/**
 * What the study that the page opens with takes on such a device, each pipeline in the first stage that needs it. The list was
 * made from that study (`node scripts/warm-up-list.mjs`) and need not be right: what is missing is compiled at its first use.
 */
export function warmUpList(capabilities: Capabilities, stage: CompileStage): readonly PipelineName[] {
  const byClass = list as unknown as Partial<Record<DeviceClass, Partial<WarmUpList>>>;
  return byClass[classOf(capabilities)]?.[stage] ?? [];
}
