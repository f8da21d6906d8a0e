import type { Ops, Stopwatch } from '../gpu/ops';
import type { DeviceBuffer } from '../gpu/rows';

/** One row of the report. */
export interface Measurement {
  readonly name: string;
  /** The sizes measured, for people. */
  readonly size: string;
  readonly milliseconds: number;
  readonly flops: number;
  readonly bytes: number;
}

/** A run fills this long. */
const RUN_MS = 40;
const MOST_REPEATS = 200;
/** A GPU that was idle for so long has slowed down its memory, and takes a while to speed up again. */
const IDLE_MS = 300;
const WARM_UP_MS = 800;
/** Runs go on until so many in a row were no faster. */
const RUNS_WITHOUT_GAIN = 3;
const MOST_RUNS = 20;
/** A run that is faster by less than this share is no faster. */
const GAIN = 0.01;

/**
 * Milliseconds that `encode` takes on the device, once compiled and warm: the mean over as many repetitions as fill 40 ms, in
 * the fastest of the runs, which are repeated until three in a row are no faster.
 */
export async function timeRepeated(stopwatch: () => Stopwatch, encode: () => void): Promise<number> {
  return fastestMean(async (repeats) => {
    const watch = stopwatch();
    for (let i = 0; i < repeats; i++) encode();
    return (await watch.stop()).milliseconds;
  });
}

/**
 * The same by the wall clock, from the first command to the completion of the last: encoding, copies and gaps between
 * submissions count, as far as the device waits for them. Paced as in a run, which submits while it encodes. `out` is what
 * `encode` writes.
 */
export async function timeWall(ops: Ops, out: DeviceBuffer, encode: () => void): Promise<number> {
  return fastestMean(async (repeats) => {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) {
      encode();
      await ops.pace();
    }
    await (out.type === 'f32' ? ops.readFloats(out, 0, 1) : ops.readIntegers(out, 0, 1));
    return performance.now() - start;
  });
}

let lastBusy = Number.NEGATIVE_INFINITY;

async function fastestMean(run: (repeats: number) => Promise<number>): Promise<number> {
  await run(1);
  const once = await run(1);
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.ceil(RUN_MS / Math.max(once, 1e-3))));
  const start = performance.now();
  if (start - lastBusy > IDLE_MS) while (performance.now() - start < WARM_UP_MS) await run(repeats);
  let fastest = Number.POSITIVE_INFINITY;
  let withoutGain = 0;
  for (let runs = 0; runs < MOST_RUNS && withoutGain < RUNS_WITHOUT_GAIN; runs++) {
    const milliseconds = await run(repeats);
    withoutGain = milliseconds > (1 - GAIN) * fastest ? withoutGain + 1 : 0;
    fastest = Math.min(fastest, milliseconds);
  }
  lastBusy = performance.now();
  return fastest / repeats;
}
