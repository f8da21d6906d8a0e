/** Top-k recall: how many of the keys with the most attention a method kept (docs/measurements.md, "Recall"). */
import type { Ops, RowScalars } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import { sliceRows } from '../../gpu/rows';
import type { Scratch } from './scratch';
import { type KeptKeys, setOfHead, sharedCount } from './selection-reader';

/**
 * Candidates C are the tokens whose fate the method chose, k those of them it kept; a query's recall is the share of the k
 * largest A[h, i, ·] in C that were kept. Records the work for queries [H, n, d] over `key` and returns what reads it: recall
 * of every query, [H][n], null for heads with k = 0 or nothing dropped.
 */
export function recordTopKRecall(
  ops: Ops,
  scratch: Scratch,
  piece: { readonly query: Rows; readonly key: Rows; readonly logSumExp: RowScalars; readonly scale: number },
  kept: KeptKeys,
): () => Promise<(Float64Array | null)[]> {
  const { start, end } = kept.candidates;
  const { heads, rows } = piece.query;
  const keptCandidates = kept.sets.map((set) => keptWithin(set, kept.rangeStart, start, end));
  const isChosen = keptCandidates.map((tokens) => tokens.length > 0 && tokens.length < end - start);
  if (!isChosen.includes(true)) return async () => new Array(heads).fill(null);

  const weights = scratch.floats(heads * rows * end, 'attention weights');
  ops.attentionWeights({
    query: piece.query,
    key: sliceRows(piece.key, 0, end),
    scale: piece.scale,
    logSumExp: piece.logSumExp,
    causalOffset: end,
    out: weights,
  });
  const tops = Array.from({ length: heads }, (_, head) => {
    const set = setOfHead(kept.sets, head, heads);
    const count = keptCandidates[set].length;
    if (!isChosen[set]) return null;
    const buffer = scratch.integers(rows * count, 'most attended keys');
    ops.topK({
      score: {
        buffer: weights,
        offset: head * rows * end + start,
        rows,
        length: end - start,
        rowStride: end,
      },
      count,
      indexBase: start,
      out: { buffer, offset: 0, sets: rows, count, rowStride: count },
    });
    return { buffer, set, count };
  });
  return () =>
    Promise.all(
      tops.map(async (top) => {
        if (!top) return null;
        const indices = await ops.readIntegers(top.buffer);
        return Float64Array.from({ length: rows }, (_, row) => {
          const largest = indices.subarray(row * top.count, (row + 1) * top.count);
          return sharedCount(largest, keptCandidates[top.set]) / top.count;
        });
      }),
    );
}

/** Kept tokens of [start, end), listed or in the range from `rangeStart` on. */
function keptWithin(listed: Uint32Array, rangeStart: number, start: number, end: number): number[] {
  const tokens = [...listed.filter((token) => token >= start && token < end)];
  for (let token = Math.max(start, rangeStart); token < end; token++) tokens.push(token);
  return tokens;
}
