/** Selector recall: how often an approximate score chose what the exact one would have (docs/measurements.md, "Recall"). */
import type { Ops } from '../../gpu/ops';
import { ignoreRejection } from '../base/ignore-rejection';
import type { LayerInput, MethodRun, QueryScores } from '../methods/method';
import { type KeptKeys, marked, readKept, readKeptOfEach, sharedCount } from './selection-reader';
import type { TokenRange } from './trace-run';

/** Most scores held at once, approximate and exact ones each: queries × candidates. */
export const MOST_SCORES = 2 ** 22;

export interface SelectorRecall {
  /** Share of the exact set that was chosen, over all sets. */
  readonly block: number;
  /** The same for each query on its own, no pooling and no dilation (ESA, Fig. 2); mean over the measured queries. */
  readonly perQuery: number | null;
}

/**
 * Encodes the work; the result follows `kept`, the choice to judge. Null where nothing is approximate, or everything fits.
 * `measured`: tokens of the block that count for `perQuery`.
 */
export async function selectorRecall(
  ops: Ops,
  run: MethodRun,
  input: LayerInput,
  kept: Promise<KeptKeys>,
  measured: TokenRange,
  mostScores = MOST_SCORES,
): Promise<SelectorRecall | null> {
  const exactly = run.selectExactly?.(input);
  if (!exactly) return null;
  const reads = Promise.all([
    readKept(ops, { ...exactly, tiedAtCut: null }),
    kept,
    perQueryRecall(ops, run, input, measured, mostScores),
  ]);
  ops.release(...exactly.owned);
  const [exact, chosen, perQuery] = await reads;
  const block = sharedOfBlock(exact, chosen);
  return block === null ? null : { block, perQuery };
}

/** The same for queries that are each a block of one, decided in one pass: `kept[i]` is what query i of `input` keeps. */
export async function selectorRecallOfEach(
  ops: Ops,
  run: MethodRun,
  input: LayerInput,
  kept: readonly Promise<KeptKeys>[],
): Promise<readonly (SelectorRecall | null)[]> {
  const exactly = run.each?.selectExactly?.(input);
  const scores = exactly && run.each?.queryScores?.(input);
  if (!exactly || !scores) return kept.map(() => null);
  const reads = Promise.all([
    Promise.all(
      readKeptOfEach(
        ops,
        exactly.map((selection) => ({ ...selection, tiedAtCut: null })),
      ),
    ),
    Promise.all(kept),
    sharedBest(ops, scores),
  ]);
  for (const { owned } of exactly) ops.release(...owned);
  const [exact, chosen, perQuery] = await reads;
  return exact.map((of, i) => {
    const block = sharedOfBlock(of, chosen[i]!);
    return block === null ? null : { block, perQuery: perQuery?.[i] ?? null };
  });
}

/** Share of the exact sets that was chosen; null where nothing was to choose. */
function sharedOfBlock(exact: KeptKeys, chosen: KeptKeys): number | null {
  const { start, end } = exact.candidates;
  const within = (set: Uint32Array): Uint32Array => set.filter((token) => token >= start && token < end);
  let shared = 0;
  let wanted = 0;
  exact.sets.forEach((set, i) => {
    const best = within(set);
    wanted += best.length;
    shared += sharedCount(best, within(chosen.sets[i]!));
  });
  return wanted === 0 ? null : shared / wanted;
}

/** Cut so that scores of as many queries as weights of a measurement are held at once. */
async function perQueryRecall(
  ops: Ops,
  run: MethodRun,
  input: LayerInput,
  measured: TokenRange,
  mostScores: number,
): Promise<number | null> {
  const together = Math.max(1, Math.floor(mostScores / Math.max(1, input.block.start)));
  const parts: Promise<number | null>[] = [];
  for (let start = measured.start; start < measured.end; start += together) {
    const end = Math.min(measured.end, start + together);
    parts.push(ignoreRejection(partRecall(ops, run, input, { start, end })));
  }
  const recalls = await Promise.all(parts);
  let sum = 0;
  for (const [i, recall] of recalls.entries()) {
    if (recall === null) return null;
    const start = measured.start + i * together;
    sum += recall * (Math.min(measured.end, start + together) - start);
  }
  return sum / (measured.end - measured.start);
}

async function partRecall(
  ops: Ops,
  run: MethodRun,
  input: LayerInput,
  queries: TokenRange,
): Promise<number | null> {
  const scores = run.queryScores?.(input, queries);
  const recalls = scores && (await sharedBest(ops, scores));
  return recalls ? recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length : null;
}

/** Per query the share of the best candidates by the exact score that are among those by the approximate one; null: none is chosen. */
async function sharedBest(ops: Ops, scores: QueryScores): Promise<number[] | null> {
  const { count } = scores;
  const { rows, length: candidates } = scores.exact;
  // Both lists in one buffer, which is read at once.
  const best = ops.scratch('u32', 2 * rows * count, 'best candidates of each query');
  for (const [i, score] of [scores.approximate, scores.exact].entries()) {
    ops.topK({
      score,
      count,
      indexBase: 0,
      out: { buffer: best, offset: i * rows * count, sets: rows, count, rowStride: count },
    });
  }
  const read = ops.readIntegers(best);
  ops.release(...scores.owned, best);
  const indices = await read;
  if (count === 0) return null;
  const isBest = new Uint8Array(candidates);
  return Array.from({ length: rows }, (_, row) => {
    const place = row * count;
    isBest.fill(0);
    for (let i = place; i < place + count; i++) isBest[indices[i]!] = 1;
    return marked(isBest, 0, indices, rows * count + place, rows * count + place + count) / count;
  });
}
