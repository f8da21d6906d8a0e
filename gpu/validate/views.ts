/**
 * Checks that every argument check is built from.
 *
 * A failed check is a mistake of the calling code, so it throws RangeError (TypeError for a wrong element type), with a
 * sentence that names the operation and the argument.
 */
import type { IndexList, Ops, RowScalars, ScoreRows } from '../ops';
import type { DeviceBuffer, ElementType, Rows } from '../rows';
import { endOfRows } from '../rows';

/** The argument record of an operation. */
export type Arguments<Name extends keyof Ops> = Ops[Name] extends (a: infer A) => void ? A : never;

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

/** A count, offset or stride: an integer from 0. */
export function checkCount(operation: string, what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0)
    fail(operation, `${what} is ${value}, but must be an integer ≥ 0`);
}

export function checkInteger(operation: string, what: string, value: number): void {
  if (!Number.isSafeInteger(value)) fail(operation, `${what} is ${value}, but must be an integer`);
}

export function checkFinite(operation: string, what: string, value: number): void {
  if (!Number.isFinite(value)) fail(operation, `${what} is ${value}, but must be a finite number`);
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
  checkCount(operation, `the offset of ${argument}`, offset);
  checkCount(operation, `the length of ${argument}`, count);
  checkBuffer(operation, argument, buffer, type, count === 0 ? 0 : offset + count);
}

/** A view of floats that an operation reads. */
export function checkInput(
  operation: string,
  argument: string,
  view: Rows,
  expected: ExpectedShape = {},
): void {
  checkCount(operation, `${argument}.offset`, view.offset);
  checkCount(operation, `${argument}.heads`, view.heads);
  checkCount(operation, `${argument}.rows`, view.rows);
  checkCount(operation, `${argument}.channels`, view.channels);
  checkCount(operation, `${argument}.headStride`, view.headStride);
  checkCount(operation, `${argument}.rowStride`, view.rowStride);
  if (expected.heads !== undefined) checkEqual(operation, `${argument}.heads`, view.heads, expected.heads);
  if (expected.rows !== undefined) checkEqual(operation, `${argument}.rows`, view.rows, expected.rows);
  if (expected.channels !== undefined) {
    checkEqual(operation, `${argument}.channels`, view.channels, expected.channels);
  }
  checkBuffer(operation, argument, view.buffer, 'f32', endOfRows(view));
}

/** A view of floats that an operation writes: as `checkInput`, and no row may lie on another. */
export function checkOutput(
  operation: string,
  argument: string,
  view: Rows,
  expected: ExpectedShape = {},
): void {
  checkInput(operation, argument, view, expected);
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
  checkCount(operation, `${argument}.length`, score.length);
  checkEqual(operation, `${argument}.rows`, score.rows, expected.rows);
  checkEqual(operation, `${argument}.length`, score.length, expected.length);
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
  checkCount(operation, `${argument}.offset`, list.offset);
  checkCount(operation, `${argument}.sets`, list.sets);
  checkCount(operation, `${argument}.count`, list.count);
  checkCount(operation, `${argument}.rowStride`, list.rowStride);
  checkBuffer(operation, argument, list.buffer, 'u32', endOfRows(listAsRows(list)));
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
