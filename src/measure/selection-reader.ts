/** Reads selections back from the device as plain arrays. */
import type { IndexList, Ops, ScoreRows } from '../../gpu/ops';
import { type DeviceBuffer, matrixRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
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

/**
 * `sets`: how many there are where the selection lists nothing, and so does not tell. All is asked for when this returns, before
 * anything is waited for.
 */
export async function readKept(
  ops: Pick<Ops, 'readIntegers'>,
  selection: Selection,
  sets = 1,
): Promise<KeptKeys> {
  const { list, tiedAtCut } = selection;
  const [lists, tied] = await Promise.all([
    list ? readLists(ops, list) : null,
    tiedAtCut ? ops.readIntegers(tiedAtCut.buffer, tiedAtCut.offset, tiedAtCut.sets) : null,
  ]);
  return keptOf(selection, lists, tied, sets);
}

function keptOf(
  { made, rangeStart, candidates }: Selection,
  lists: Uint32Array[] | null,
  tied: Uint32Array | null,
  sets: number,
): KeptKeys {
  return {
    sets: lists ?? Array.from({ length: sets }, () => new Uint32Array(0)),
    rangeStart,
    ...(made && { made: made.key.rows }),
    candidates,
    tiedAtCut: tied && [...tied],
  };
}

/**
 * The same of several selections, which may lie in one buffer: that is read once. All is asked for when this returns, and what the
 * selections own may then be released.
 */
export function readKeptOfEach(ops: Ops, selections: readonly Selection[], sets = 1): Promise<KeptKeys>[] {
  if (selections.length === 1) return [ignoreRejection(readKept(ops, selections[0]!, sets))];
  const scratch = new Scratch(ops);
  const all = ignoreRejection(readAll(ops, closedUp(scratch, selections), sets));
  scratch.release();
  return selections.map((_, i) => ignoreRejection(all.then((kept) => kept[i]!)));
}

/** There may be thousands: nothing is waited for but the buffers. */
function readAll(ops: Ops, selections: readonly Selection[], sets: number): Promise<KeptKeys[]> {
  const spans = new Map<DeviceBuffer, Span>();
  for (const { list, tiedAtCut } of selections) {
    if (list) addTo(spans, list.buffer, list.offset, spanOf(list));
    if (list?.countsOffset !== undefined) addTo(spans, list.buffer, list.countsOffset, list.sets);
    if (tiedAtCut) addTo(spans, tiedAtCut.buffer, tiedAtCut.offset, tiedAtCut.sets);
  }
  const reads = [...spans].map(([buffer, { start, end }]) => ops.readIntegers(buffer, start, end - start));
  return Promise.all(reads).then((all) => {
    const read = new Map([...spans].map(([buffer, { start }], i) => [buffer, { start, data: all[i]! }]));
    const at = (buffer: DeviceBuffer, offset: number, length: number): Uint32Array => {
      const { start, data } = read.get(buffer)!;
      return data.subarray(offset - start, offset - start + length);
    };
    return selections.map((selection) => {
      const { list, tiedAtCut } = selection;
      const indices = list && at(list.buffer, list.offset, spanOf(list));
      const counts = list?.countsOffset === undefined ? null : at(list.buffer, list.countsOffset, list.sets);
      const tied = tiedAtCut && at(tiedAtCut.buffer, tiedAtCut.offset, tiedAtCut.sets);
      return keptOf(selection, indices && listsIn(list!, indices, counts), tied, sets);
    });
  });
}

/** So many elements between the lists of a buffer are worth a copy without them. */
const FEWEST_BETWEEN = 2 ** 16;

/**
 * The same selections, their lists without what lies between them: a method may hold more in a row than its queries see, and
 * bringing that off the device, thousands of times, takes longer than all else. Buffers whose lists differ are left as they are.
 */
function closedUp(scratch: Scratch, selections: readonly Selection[]): readonly Selection[] {
  const byBuffer = new Map<DeviceBuffer, IndexList[]>();
  for (const { list } of selections) {
    if (!list) continue;
    const lists = byBuffer.get(list.buffer);
    if (lists) lists.push(list);
    else byBuffer.set(list.buffer, [list]);
  }
  const closed = new Map<DeviceBuffer, (list: IndexList) => IndexList>();
  for (const [buffer, lists] of byBuffer) {
    const { count, rowStride } = lists[0]!;
    const start = lists.reduce((least, { offset }) => Math.min(least, offset), Number.POSITIVE_INFINITY);
    const rowOf = ({ offset }: IndexList): number => (offset - start) / rowStride;
    const rows = lists.reduce((most, list) => Math.max(most, rowOf(list) + list.sets), 0);
    const areAlike = lists.every(
      (list) =>
        list.count === count &&
        list.rowStride === rowStride &&
        list.countsOffset === undefined &&
        Number.isInteger(rowOf(list)),
    );
    if (!areAlike || rows * (rowStride - count) < FEWEST_BETWEEN) continue;
    const out = matrixRows(scratch.integers(rows * count, 'kept keys, closed up'), rows, count);
    scratch.ops.copyRows({ input: { ...matrixRows(buffer, rows, count), offset: start, rowStride }, out });
    const row = { buffer: out.buffer, count, rowStride: count };
    closed.set(buffer, (list) => ({ ...row, offset: rowOf(list) * count, sets: list.sets }));
  }
  return selections.map((selection) => {
    const close = selection.list && closed.get(selection.list.buffer);
    return close ? { ...selection, list: close(selection.list!) } : selection;
  });
}

/** The part of a buffer that is wanted. */
interface Span {
  start: number;
  end: number;
}

function addTo(spans: Map<DeviceBuffer, Span>, buffer: DeviceBuffer, start: number, length: number): void {
  const end = start + length;
  const span = spans.get(buffer);
  if (!span) {
    spans.set(buffer, { start, end });
    return;
  }
  span.start = Math.min(span.start, start);
  span.end = Math.max(span.end, end);
}

/** The lists of all sets off the device, each with its own length. */
export async function readLists(ops: Pick<Ops, 'readIntegers'>, list: IndexList): Promise<Uint32Array[]> {
  const { buffer, offset, sets, countsOffset } = list;
  const [indices, counts] = await Promise.all([
    ops.readIntegers(buffer, offset, spanOf(list)),
    countsOffset === undefined ? null : ops.readIntegers(buffer, countsOffset, sets),
  ]);
  return listsIn(list, indices, counts);
}

/** Elements from the first index to the last. */
const spanOf = ({ sets, count, rowStride }: IndexList): number => (sets - 1) * rowStride + count;

const listsIn = (
  { sets, count, rowStride }: IndexList,
  indices: Uint32Array,
  counts: Uint32Array | null,
): Uint32Array[] =>
  Array.from({ length: sets }, (_, set) =>
    indices.subarray(set * rowStride, set * rowStride + (counts ? counts[set]! : count)),
  );

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
  const visible = new Uint32Array(kept.sets[set]!.length + Math.max(0, end - kept.rangeStart));
  writeVisible(kept, set, end, visible, 0);
  return visible;
}

/** Writes them into `out` from `place` on; how many they are. */
export function writeVisible(
  { sets, rangeStart }: KeptKeys,
  set: number,
  end: number,
  out: Uint32Array,
  place: number,
): number {
  const listed = sets[set]!;
  out.set(listed, place);
  const range = place + listed.length;
  for (let token = rangeStart; token < end; token++) out[range + token - rangeStart] = token;
  return listed.length + Math.max(0, end - rangeStart);
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
