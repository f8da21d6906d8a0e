/** Top-k recall: how many of the keys with the most attention a method kept (docs/measurements.md, "Recall"). */
import type { Ops, RowScalars } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import { sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { type KeptKeys, marked, setOfHead } from './selection-reader';

/** One head's recall by query, and what keeping as many candidates at random would recall: k ÷ |C|. NaN where there is none. */
export interface TopKOfHead {
  readonly recall: Float64Array;
  readonly chance: Float64Array;
}

/**
 * Candidates C are the tokens whose fate the method chose, k those of them it kept; a query's recall is the share of the k
 * largest A[h, i, ·] in C that were kept. Encodes the work for queries [H, n, d] over `key` and reads it: recall of every
 * query, [H][n], null for heads with k = 0 or nothing dropped.
 */
export async function topKRecall(
  ops: Ops,
  piece: { readonly query: Rows; readonly key: Rows; readonly logSumExp: RowScalars; readonly scale: number },
  kept: KeptKeys,
): Promise<(TopKOfHead | null)[]> {
  const { start, end } = kept.candidates;
  const { heads, rows } = piece.query;
  const candidates = kept.sets.map((set) => keptWithin(set, kept.rangeStart, start, end));
  const counts = Array.from(
    { length: heads },
    (_, head) => candidates[setOfHead(kept.sets, head, heads)]!.count,
  );
  const isChosen = (count: number): boolean => count > 0 && count < end - start;
  if (!counts.some(isChosen)) return new Array(heads).fill(null);

  const scratch = new Scratch(ops);
  const weights = scratch.floats(heads * rows * end, 'attention probabilities');
  ops.attentionProbabilities({
    query: piece.query,
    key: sliceRows(piece.key, 0, end),
    scale: piece.scale,
    logSumExp: piece.logSumExp,
    causalOffset: end,
    out: weights,
  });
  const reads = stretches(counts)
    .filter(({ count }) => isChosen(count))
    .map(async ({ first, heads: together, count }) => {
      const sets = together * rows;
      const buffer = scratch.integers(sets * count, 'most attended keys');
      ops.topK({
        score: {
          buffer: weights,
          offset: first * rows * end + start,
          rows: sets,
          length: end - start,
          rowStride: end,
        },
        count,
        indexBase: start,
        out: { buffer, offset: 0, sets, count, rowStride: count },
      });
      return { first, together, count, indices: await ops.readIntegers(buffer) };
    });
  scratch.release();

  const recalls: (TopKOfHead | null)[] = new Array(heads).fill(null);
  for (const { first, together, count, indices } of await Promise.all(reads)) {
    for (let head = first; head < first + together; head++) {
      const { isKept } = candidates[setOfHead(kept.sets, head, heads)]!;
      const recall = new Float64Array(rows);
      for (let row = 0; row < rows; row++) {
        const place = ((head - first) * rows + row) * count;
        recall[row] = marked(isKept, start, indices, place, place + count) / count;
      }
      recalls[head] = { recall, chance: new Float64Array(rows).fill(count / (end - start)) };
    }
  }
  return recalls;
}

/**
 * The same for queries that each keep keys of their own: query i of [H, n, d] keeps `kept[i]`. In one pass where the candidates of all
 * begin at one token, and end at one or one later with each query; else one by one.
 */
export async function topKRecallOfEach(
  ops: Ops,
  piece: { readonly query: Rows; readonly key: Rows; readonly logSumExp: RowScalars; readonly scale: number },
  kept: readonly KeptKeys[],
): Promise<(TopKOfHead | null)[]> {
  const { heads, rows } = piece.query;
  const { start, end: firstEnd } = kept[0]!.candidates;
  const countOf = (set: Uint32Array, { rangeStart, candidates: of }: KeptKeys): number =>
    countWithin(set, rangeStart, of.start, of.end);
  const growth = rows > 1 && kept[1]!.candidates.end === firstEnd ? 0 : 1;
  const endOf = (row: number): number => firstEnd + growth * row;
  if (!kept.every(({ candidates: of }, row) => of.start === start && of.end === endOf(row)))
    return oneByOne(ops, piece, kept);
  // Of each head and query; 0 where nothing is chosen.
  const counts = new Uint32Array(heads * rows);
  for (const [row, of] of kept.entries()) {
    const ofSets = of.sets.map((set) => countOf(set, of));
    for (let head = 0; head < heads; head++) {
      const count = ofSets[setOfHead(ofSets, head, heads)]!;
      if (count < endOf(row) - start) counts[head * rows + row] = count;
    }
  }
  const most = counts.reduce((largest, count) => Math.max(largest, count), 0);
  if (most === 0) return new Array(heads).fill(null);
  const end = endOf(rows - 1);
  const scratch = new Scratch(ops);
  const weights = scratch.floats(heads * rows * end, 'attention probabilities');
  // Beyond a query's own candidates weights are 0, and come behind those that are 0 among them.
  ops.attentionProbabilities({
    query: piece.query,
    key: sliceRows(piece.key, 0, end),
    scale: piece.scale,
    logSumExp: piece.logSumExp,
    causalOffset: growth === 1 ? firstEnd - 1 : end,
    out: weights,
  });
  const sets = heads * rows;
  const buffer = scratch.integers(sets * most, 'most attended keys');
  const areAsMany = counts.every((count) => count === most);
  ops.topK({
    score: { buffer: weights, offset: start, rows: sets, length: end - start, rowStride: end },
    count: most,
    ...(areAsMany ? {} : { counts: { buffer: scratch.upload(counts, 'kept candidates'), offset: 0 } }),
    indexBase: start,
    out: { buffer, offset: 0, sets, count: most, rowStride: most },
  });
  const read = ops.readIntegers(buffer);
  scratch.release();
  const indices = await read;
  // One for all: thousands of their own would be most of the time.
  const isKept = new Uint8Array(end - start);
  return Array.from({ length: heads }, (_, head) => {
    const recall = new Float64Array(rows).fill(Number.NaN);
    const chance = new Float64Array(rows).fill(Number.NaN);
    const ofHead = counts.subarray(head * rows, (head + 1) * rows);
    for (const [row, count] of ofHead.entries()) {
      if (count === 0) continue;
      const { sets, rangeStart, candidates: of } = kept[row]!;
      isKept.fill(0);
      mark(isKept, sets[setOfHead(sets, head, heads)]!, rangeStart, of.start, of.end);
      const place = (head * rows + row) * most;
      recall[row] = marked(isKept, start, indices, place, place + count) / count;
      chance[row] = count / (of.end - start);
    }
    return ofHead.every((count) => count === 0) ? null : { recall, chance };
  });
}

/** Heads that have a recall for some queries only get those; NaN for the others. */
async function oneByOne(
  ops: Ops,
  piece: { readonly query: Rows; readonly key: Rows; readonly logSumExp: RowScalars; readonly scale: number },
  kept: readonly KeptKeys[],
): Promise<(TopKOfHead | null)[]> {
  const { heads, rows } = piece.query;
  const { logSumExp } = piece;
  const ofRows = await Promise.all(
    kept.map((of, row) =>
      topKRecall(
        ops,
        {
          ...piece,
          query: sliceRows(piece.query, row, 1),
          logSumExp: { ...logSumExp, offset: logSumExp.offset + row },
        },
        of,
      ),
    ),
  );
  return Array.from({ length: heads }, (_, head) => {
    const of = (name: keyof TopKOfHead): Float64Array =>
      Float64Array.from({ length: rows }, (_, row) => ofRows[row]![head]?.[name][0] ?? Number.NaN);
    const found = { recall: of('recall'), chance: of('chance') };
    return found.recall.every(Number.isNaN) ? null : found;
  });
}

/** Consecutive heads with equal counts. */
function stretches(counts: readonly number[]): { first: number; heads: number; count: number }[] {
  const found: { first: number; heads: number; count: number }[] = [];
  counts.forEach((count, head) => {
    const last = found.at(-1);
    if (last?.count === count) last.heads++;
    else found.push({ first: head, heads: 1, count });
  });
  return found;
}

/** Which tokens of [start, end) are kept, listed or in the range from `rangeStart` on, and how many. */
function keptWithin(
  listed: Uint32Array,
  rangeStart: number,
  start: number,
  end: number,
): { readonly isKept: Uint8Array; readonly count: number } {
  const isKept = new Uint8Array(end - start);
  mark(isKept, listed, rangeStart, start, end);
  return { isKept, count: countWithin(listed, rangeStart, start, end) };
}

/** Marks them in zeros, the first of which stands for `start`. */
function mark(isKept: Uint8Array, listed: Uint32Array, rangeStart: number, start: number, end: number): void {
  const last = placeOf(listed, end);
  for (let i = placeOf(listed, start); i < last; i++) isKept[listed[i]! - start] = 1;
  isKept.fill(1, Math.min(end, Math.max(start, rangeStart)) - start, end - start);
}

/** How many there are: lists are ascending and end before `rangeStart`. */
function countWithin(listed: Uint32Array, rangeStart: number, start: number, end: number): number {
  const ofRange = end - Math.min(end, Math.max(start, rangeStart));
  return placeOf(listed, end) - placeOf(listed, start) + ofRange;
}

/** Where the first of an ascending list is that is not below `token`. */
function placeOf(listed: Uint32Array, token: number): number {
  let [from, to] = [0, listed.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (listed[middle]! < token) from = middle + 1;
    else to = middle;
  }
  return from;
}
