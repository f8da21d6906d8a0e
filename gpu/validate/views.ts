/**
 * Checks that every argument check is built from.
 *
 * A failed check is a mistake of the calling code, so it throws RangeError (TypeError for a wrong element type), with a
 * sentence that names the operation and the argument.
 */
import type { IndexList, RowScalars, ScoreRows, ScoreRule } from '../arguments';
import { type DeviceBuffer, type ElementType, endOfRows, isHalf, type Rows } from '../rows';

/** Shape that a view must have; what is left out is free. */
export interface ExpectedShape {
  readonly heads?: number;
  readonly rows?: number;
  readonly channels?: number;
}

export function fail(operation: string, problem: string): never {
  throw new RangeError(`${operation}: ${problem}`);
}

export function checkEqual(operation: string, what: string, actual: number, expected: number): void {
  if (actual !== expected) fail(operation, `${what} is ${actual}, but must be ${expected}`);
}

function isCount(value: number): boolean {
  return value >= 0 && Number.isSafeInteger(value);
}

/** A count, offset or stride: an integer from 0. */
export function checkCount(operation: string, what: string, value: number): void {
  if (!isCount(value)) fail(operation, `${what} is ${value}, but must be an integer ≥ 0`);
}

/** Counts, offsets and strides of an argument. Their names are put together only for one that is wrong. */
function checkCounts<Name extends string>(
  operation: string,
  argument: string,
  counts: Readonly<Record<Name, number>>,
  names: readonly Name[],
): void {
  for (const name of names) checkCount(operation, `${argument}.${name}`, counts[name]);
}

export function checkInteger(operation: string, what: string, value: number): void {
  if (!Number.isSafeInteger(value)) fail(operation, `${what} is ${value}, but must be an integer`);
}

export function checkFinite(operation: string, what: string, value: number): void {
  if (!Number.isFinite(value)) fail(operation, `${what} is ${value}, but must be a finite number`);
}

/** The scale is finite, and a soft cap is above 0. */
export function checkScoreRule(operation: string, { scale, softCap }: ScoreRule): void {
  checkFinite(operation, 'scale', scale);
  if (softCap !== undefined && !(softCap > 0 && Number.isFinite(softCap))) {
    fail(operation, `softCap is ${softCap}, but must be above 0`);
  }
}

/** The buffer has the given type and at least `end` elements. */
export function checkBuffer(
  operation: string,
  argument: string,
  buffer: DeviceBuffer,
  type: ElementType,
  end: number,
): void {
  if (buffer.type !== type) {
    throw new TypeError(
      `${operation}: ${argument} (${buffer.label}) holds ${buffer.type}, but must hold ${type}`,
    );
  }
  if (end > buffer.length) {
    fail(operation, `${argument} reaches element ${end} of ${buffer.label}, which has ${buffer.length}`);
  }
}

/** Elements [offset, offset + count) of a buffer. */
export function checkSpan(
  operation: string,
  argument: string,
  buffer: DeviceBuffer,
  type: ElementType,
  offset: number,
  count: number,
): void {
  if (!isCount(offset)) checkCount(operation, `the offset of ${argument}`, offset);
  if (!isCount(count)) checkCount(operation, `the length of ${argument}`, count);
  checkBuffer(operation, argument, buffer, type, count === 0 ? 0 : offset + count);
}

const VIEW_COUNTS = ['offset', 'heads', 'rows', 'channels', 'headStride', 'rowStride'] as const;

function checkShape(operation: string, argument: string, view: Rows, expected: ExpectedShape): void {
  for (const name of ['heads', 'rows', 'channels'] as const) {
    const wanted = expected[name];
    if (wanted !== undefined) checkEqual(operation, `${argument}.${name}`, view[name], wanted);
  }
}

/** A view that an operation reads, of floats by default. */
export function checkInput(
  operation: string,
  argument: string,
  view: Rows,
  expected: ExpectedShape = {},
  type: ElementType = 'f32',
): void {
  const { offset, heads, rows, channels, headStride, rowStride } = view;
  const isView =
    isCount(offset) &&
    isCount(heads) &&
    isCount(rows) &&
    isCount(channels) &&
    isCount(headStride) &&
    isCount(rowStride);
  if (!isView) checkCounts(operation, argument, view, VIEW_COUNTS);
  const wrong =
    (expected.heads !== undefined && expected.heads !== heads) ||
    (expected.rows !== undefined && expected.rows !== rows) ||
    (expected.channels !== undefined && expected.channels !== channels);
  if (wrong) checkShape(operation, argument, view, expected);
  checkBuffer(operation, argument, view.buffer, type, endOfRows(view));
}

/** A view that an operation reads, of floats or of halves; of halves only whole vectors of four. */
export function checkStored(
  operation: string,
  argument: string,
  view: Rows,
  expected: ExpectedShape = {},
): void {
  const { type } = view.buffer;
  checkInput(operation, argument, view, expected, isHalf(type) ? type : 'f32');
  const { offset, channels, headStride, rowStride, heads, rows } = view;
  const steps = [offset, channels, rows > 1 ? rowStride : 0, heads > 1 ? headStride : 0];
  if (isHalf(type) && endOfRows(view) > 0 && steps.some((step) => step % 4 !== 0)) {
    fail(operation, `${argument} holds ${type}, of which only whole vectors of four can be read`);
  }
}

/** A view that an operation writes: as `checkInput`, and no row may lie on another. */
export function checkOutput(
  operation: string,
  argument: string,
  view: Rows,
  expected: ExpectedShape = {},
  type: ElementType = 'f32',
): void {
  checkInput(operation, argument, view, expected, type);
  if (endOfRows(view) === 0) return;
  if (view.rows > 1 && view.rowStride < view.channels) {
    fail(
      operation,
      `${argument}.rowStride is ${view.rowStride}, so rows of ${view.channels} channels overlap`,
    );
  }
  if (view.heads > 1 && view.headStride < view.channels) {
    fail(
      operation,
      `${argument}.headStride is ${view.headStride}, so heads of ${view.channels} channels overlap`,
    );
  }
}

/** Score rows as the view of one head that they are. */
export function asRows(score: ScoreRows): Rows {
  const { buffer, offset, rows, length, rowStride } = score;
  return { buffer, offset, heads: 1, rows, channels: length, headStride: 0, rowStride };
}

/** Score rows that an operation reads, or writes. */
export function checkScores(
  operation: string,
  argument: string,
  score: ScoreRows,
  access: 'read' | 'written',
  expected: { readonly rows: number; readonly length: number } = score,
): void {
  const { rows, length } = score;
  if (!isCount(length)) checkCount(operation, `${argument}.length`, length);
  if (rows !== expected.rows) checkEqual(operation, `${argument}.rows`, rows, expected.rows);
  if (length !== expected.length) checkEqual(operation, `${argument}.length`, length, expected.length);
  if (access === 'read') checkInput(operation, argument, asRows(score));
  else checkOutput(operation, argument, asRows(score));
}

/** Numbers per head and row as the view that they are: heads × 1 row of `rows` elements. */
export function scalarsAsRows(scalars: RowScalars, heads: number, rows: number): Rows {
  const { buffer, offset, headStride } = scalars;
  return { buffer, offset, heads, rows: 1, channels: rows, headStride, rowStride: 0 };
}

/** An index list as the view of one head that it is. */
export function listAsRows(list: IndexList): Rows {
  const { buffer, offset, sets, count, rowStride } = list;
  return { buffer, offset, heads: 1, rows: sets, channels: count, headStride: 0, rowStride };
}

/** An index list that an operation reads. */
export function checkList(operation: string, argument: string, list: IndexList): void {
  const { offset, sets, count, rowStride } = list;
  if (!(isCount(offset) && isCount(sets) && isCount(count) && isCount(rowStride))) {
    checkCounts(operation, argument, list, ['offset', 'sets', 'count', 'rowStride']);
  }
  checkBuffer(operation, argument, list.buffer, 'u32', endOfRows(listAsRows(list)));
  if (list.countsOffset !== undefined) {
    checkSpan(operation, `${argument}.counts`, list.buffer, 'u32', list.countsOffset, sets);
  }
}

/** A list whose sets have lengths of their own, which an operation writes: lists and their lengths, all apart. */
export function checkRaggedOut(operation: string, argument: string, list: IndexList): void {
  checkList(operation, argument, list);
  const { offset, countsOffset, sets, count, rowStride } = list;
  if (countsOffset === undefined) {
    fail(operation, `${argument} has no countsOffset, but its lists have different lengths`);
  }
  if (sets > 1 && rowStride < count) {
    fail(operation, `${argument}.rowStride is ${rowStride}, so lists of ${count} overlap`);
  }
  const listsEnd = endOfRows(listAsRows(list));
  if (sets > 0 && countsOffset < listsEnd && countsOffset + sets > offset) {
    fail(operation, `${argument} has its counts among its lists`);
  }
}

/** Input and output heads pair up: a KV head serves the same number of query heads each. */
export function checkGroups(
  operation: string,
  many: string,
  manyHeads: number,
  few: string,
  fewHeads: number,
): void {
  if (fewHeads === 0 ? manyHeads !== 0 : manyHeads % fewHeads !== 0) {
    fail(operation, `${many} has ${manyHeads} heads, which is no multiple of the ${fewHeads} of ${few}`);
  }
}
