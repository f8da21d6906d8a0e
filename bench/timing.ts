import type { Stopwatch } from '../gpu/ops';

/** One row of the report. */
export interface Measurement {
  readonly name: string;
  /** The sizes measured, for people. */
  readonly size: string;
  readonly milliseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

const MEASURED_MS = 60;
const MOST_REPEATS = 200;

/**
 * Milliseconds that `record` takes on the device, once compiled and warm: the mean over as many repetitions as fill 60 ms,
 * and of three such runs the fastest.
 */
export async function timeRepeated(stopwatch: () => Stopwatch, record: () => void): Promise<number> {
  const runs = async (repeats: number) => {
    const watch = stopwatch();
    for (let i = 0; i < repeats; i++) record();
    return (await watch.stop()).milliseconds / repeats;
  };
  await runs(1);
  const once = await runs(1);
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.ceil(MEASURED_MS / Math.max(once, 1e-3))));
  return Math.min(await runs(repeats), await runs(repeats), await runs(repeats));
}
