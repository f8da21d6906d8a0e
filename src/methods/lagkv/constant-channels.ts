/** Channels without any range in a partition: LagKV divides by 1e-12 there, and a run says so. */
import type { Ops } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';
import { ignoreRejection } from '../../base/ignore-rejection';

/** What `counter` counts with the work encoded so far. */
export function readConstantChannels(ops: Ops, counter: DeviceBuffer): Promise<number> {
  return ignoreRejection(ops.readIntegers(counter).then(([channels]) => channels!));
}

/** A sentence, if these scores met any. */
export async function constantChannelNotices(
  scores: readonly { readonly constantChannels: Promise<number> | null }[],
): Promise<string[]> {
  const counts = await Promise.all(scores.map(({ constantChannels }) => constantChannels ?? 0));
  const count = counts.reduce((sum, channels) => sum + channels, 0);
  if (count === 0) return [];
  return [
    `${count.toLocaleString('en')} channels had no range in a lag partition; their keys or values were divided by 1e-12 there.`,
  ];
}
