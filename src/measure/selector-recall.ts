/** Selector recall: how often an approximate score chose what the exact one would have (docs/measurements.md, "Recall"). */
import type { Ops } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import type { LayerInput, MethodRun } from '../methods/method';
import type { TokenRange } from './probe-run';
import { type KeptKeys, readKept, sharedCount } from './selection-reader';

export interface SelectorRecall {
  /** Share of the exact set that was chosen, over all sets. */
  readonly block: number;
  /** The same for each query on its own, no pooling and no dilation (ESA, Fig. 2); mean over the measured queries. */
  readonly perQuery: number | null;
}

/** Null where nothing is approximate, or everything fits. `measured`: tokens of the block that count for `perQuery`. */
export async function selectorRecall(
  ops: Ops,
  run: MethodRun,
  input: LayerInput,
  kept: KeptKeys,
  measured: TokenRange,
): Promise<SelectorRecall | null> {
  const exactly = run.selectExactly?.(input);
  if (!exactly) return null;
  const exact = await readKept(ops, exactly);
  ops.release(...exactly.owned);
  const { start, end } = exact.candidates;
  const within = (set: Uint32Array): Uint32Array => set.filter((token) => token >= start && token < end);
  let shared = 0;
  let wanted = 0;
  exact.sets.forEach((set, i) => {
    const chosen = within(set);
    wanted += chosen.length;
    shared += sharedCount(chosen, within(kept.sets[i]));
  });
  if (wanted === 0) return null;
  return { block: shared / wanted, perQuery: await perQueryRecall(ops, run, input, measured) };
}

async function perQueryRecall(
  ops: Ops,
  run: MethodRun,
  input: LayerInput,
  measured: TokenRange,
): Promise<number | null> {
  const scores = run.queryScores?.(input);
  if (!scores) return null;
  const { candidates, count } = scores;
  const rows = measured.end - measured.start;
  const best = (buffer: DeviceBuffer): DeviceBuffer => {
    const out = ops.allocate('u32', rows * count, 'best candidates of each query');
    const offset = (measured.start - input.block.start) * candidates;
    ops.topK({
      score: { buffer, offset, rows, length: candidates, rowStride: candidates },
      count,
      indexBase: 0,
      out: { buffer: out, offset: 0, sets: rows, count, rowStride: count },
    });
    return out;
  };
  const approximate = best(scores.approximate);
  const exact = best(scores.exact);
  const [a, b] = await Promise.all([ops.readIntegers(approximate), ops.readIntegers(exact)]);
  ops.release(scores.approximate, scores.exact, approximate, exact);
  let shared = 0;
  for (let row = 0; row < rows; row++) {
    const of = (list: Uint32Array): Uint32Array => list.subarray(row * count, (row + 1) * count);
    shared += sharedCount(of(a), of(b));
  }
  return count > 0 ? shared / (rows * count) : null;
}
