/** Channels without any range in a partition: LagKV divides by 1e-12 there, and a run says so. */
import type { Ops } from '../../../gpu/ops';
import type { DeviceBuffer } from '../../../gpu/rows';

/** What `counter` counts with the work encoded so far. */
export function readConstantChannels(ops: Ops, counter: DeviceBuffer): Promise<number> {
  const count = ops.readIntegers(counter).then(([channels]) => channels!);
  // Whoever asks for it still gets the error; a count that nobody asks for is no failure.
  count.catch(() => {});
  return count;
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
