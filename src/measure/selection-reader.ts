/** Reads selections back from the device as plain arrays. */
import type { IndexList, Ops, ScoreRows } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { ignoreRejection } from '../base/ignore-rejection';
import type { Selection } from '../methods/method';

/** The keys a block's queries see, off the device: those listed, then every token of [rangeStart, own position]. */
export interface KeptKeys {
  /** Ascending tokens below rangeStart, one array per set; empty ones where nothing is listed. */
  readonly sets: readonly Uint32Array[];
  readonly rangeStart: number;
  /** Rows of the cache beside these, made of several tokens; absent: none. */
  readonly made?: number;
  readonly candidates: { readonly start: number; readonly end: number };
  /** One count per set; null where nothing was cut. */
  readonly tiedAtCut: readonly number[] | null;
}

type ReadIntegers = (...args: Parameters<Ops['readIntegers']>) => Promise<Uint32Array>;

/** `sets`: how many there are where the selection lists nothing, and so does not tell. */
export async function readKept(
  { readIntegers: read }: { readonly readIntegers: ReadIntegers },
  selection: Selection,
  sets = 1,
): Promise<KeptKeys> {
  const { list, made, tiedAtCut, rangeStart, candidates } = selection;
  const [lists, tied] = await Promise.all([
    list ? readLists({ readIntegers: read }, list) : null,
    tiedAtCut ? read(tiedAtCut.buffer, tiedAtCut.offset, tiedAtCut.sets) : null,
  ]);
  return {
    sets: lists ?? Array.from({ length: sets }, () => new Uint32Array(0)),
    rangeStart,
    ...(made && { made: made.key.rows }),
    candidates,
    tiedAtCut: tied && [...tied],
  };
}

/** The same of several selections, which may lie in one buffer: that is read once. */
export function readKeptOfEach(ops: Ops, selections: readonly Selection[], sets = 1): Promise<KeptKeys>[] {
  if (selections.length === 1) return [ignoreRejection(readKept(ops, selections[0]!, sets))];
  const spans = new Map<DeviceBuffer, Span>();
  const readIntegers: ReadIntegers = (buffer, offset = 0, length = buffer.length - offset) => {
    const span = spans.get(buffer) ?? { start: offset, end: offset, parts: [] };
    spans.set(buffer, span);
    span.start = Math.min(span.start, offset);
    span.end = Math.max(span.end, offset + length);
    return new Promise((resolve, reject) => span.parts.push({ offset, length, resolve, reject }));
  };
  // Each says what it wants before it waits for anything.
  const kept = selections.map((selection) => ignoreRejection(readKept({ readIntegers }, selection, sets)));
  for (const [buffer, { start, end, parts }] of spans) {
    ops.readIntegers(buffer, start, end - start).then(
      (data) => {
        for (const { offset, length, resolve } of parts)
          resolve(data.subarray(offset - start, offset - start + length));
      },
      (error: unknown) => {
        for (const { reject } of parts) reject(error);
      },
    );
  }
  return kept;
}

/** A stretch of a buffer, and who wants which part of it. */
interface Span {
  start: number;
  end: number;
  readonly parts: {
    readonly offset: number;
    readonly length: number;
    readonly resolve: (data: Uint32Array) => void;
    readonly reject: (error: unknown) => void;
  }[];
}

/** The lists of all sets off the device, each with its own length. */
export async function readLists(
  { readIntegers: read }: { readonly readIntegers: ReadIntegers },
  list: IndexList,
): Promise<Uint32Array[]> {
  const { buffer, offset, sets, count, rowStride, countsOffset } = list;
  const [indices, counts] = await Promise.all([
    read(buffer, offset, (sets - 1) * rowStride + count),
    countsOffset === undefined ? null : read(buffer, countsOffset, sets),
  ]);
  return Array.from({ length: sets }, (_, set) =>
    indices.subarray(set * rowStride, set * rowStride + (counts ? counts[set] : count)!),
  );
}

/** Score rows off the device, one array each. */
export async function readScoreRows(ops: Ops, rows: ScoreRows): Promise<Float32Array[]> {
  const span = rows.rows > 0 ? (rows.rows - 1) * rows.rowStride + rows.length : 0;
  const data = await ops.readFloats(rows.buffer, rows.offset, span);
  return Array.from({ length: rows.rows }, (_, row) =>
    data.subarray(row * rows.rowStride, row * rows.rowStride + rows.length),
  );
}

/**
 * Scores by token, [tokens] per score row, NaN where nothing was scored; null for a selection without scores, or without a second
 * one where those are asked for.
 */
export async function readScores(
  ops: Ops,
  { score }: Pick<Selection, 'score'>,
  tokens: number,
  which: 'rows' | 'secondary' = 'rows',
): Promise<Float32Array[] | null> {
  const rows = score?.[which];
  if (!rows) return null;
  const { scoreStart, tokensPerScore = 1 } = score;
  const [read, owners] = await Promise.all([
    readScoreRows(ops, rows),
    score.tokens ? readLists(ops, score.tokens) : null,
  ]);
  return read.map((row, set) => {
    const scores = new Float32Array(tokens).fill(Number.NaN);
    if (owners) for (const [i, token] of owners[set]!.entries()) scores[token] = row[i]!;
    else if (tokensPerScore === 1) scores.set(row, scoreStart);
    else
      for (const [unit, value] of row.entries()) {
        const start = scoreStart + unit * tokensPerScore;
        scores.fill(value, start, start + tokensPerScore);
      }
    return scores;
  });
}

/** The set that query head h of `queryHeads` uses. */
export function setOfHead(kept: { readonly length: number }, head: number, queryHeads: number): number {
  return Math.floor((head * kept.length) / queryHeads);
}

/** All tokens that one set shows to a query, ascending; `end` is one past its own token. */
export function visibleTokens(kept: KeptKeys, set: number, end: number): Uint32Array {
  const listed = kept.sets[set];
  const visible = new Uint32Array(listed!.length + Math.max(0, end - kept.rangeStart));
  visible.set(listed!);
  for (let i = listed!.length; i < visible.length; i++) visible[i] = kept.rangeStart + i - listed!.length;
  return visible;
}

/** How many of `indices` [from, to) are marked; entry 0 of `marks` belongs to index `start`. */
export function marked(
  marks: Uint8Array,
  start: number,
  indices: Uint32Array,
  from: number,
  to: number,
): number {
  let count = 0;
  for (let i = from; i < to; i++) count += marks[indices[i]! - start]!;
  return count;
}

/** How many entries of ascending `a` are in ascending `b`. */
export function sharedCount(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let shared = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) shared++;
    if (a[i]! <= b[j]!) i++;
    else j++;
  }
  return shared;
}
