/**
 * Attention in two parts: far keys at positions of a method's own, near ones and the block's own at their distances in the text;
 * merged by log-sum-exp.
 */
import type { RowScalars, VisibleKeys } from '../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../gpu/rows';
import { eachRowAsHead, headMajorRows } from '../../gpu/rows';
import type { FarRows, LayerInput, MethodContext, Selection, VisibleOfEach } from './method';

/** Queries and keys as they are compared when keys are far. */
export type FarRowsOf = (input: LayerInput) => FarRows;

/** The list of a selection is far, its range near. */
export function attendFarAndNear(
  context: MethodContext,
  farRowsOf: FarRowsOf,
  input: LayerInput,
  { list, rangeStart }: Pick<Selection, 'list' | 'rangeStart'>,
  out: Rows,
  logSumExp: RowScalars,
): void {
  const near = { range: { start: rangeStart, end: input.block.end, causal: true } };
  const far = list && { list, range: { start: 0, end: 0, causal: false } };
  attendParts(context, farRowsOf, input, { near, far: far ? [far] : [] }, { out, logSumExp });
}

/** The same for queries with lists of their own (MethodRun.attendEach). */
export function attendEachFarAndNear(
  context: MethodContext,
  farRowsOf: FarRowsOf,
  input: LayerInput,
  { near, far, firstRangeStart }: VisibleOfEach,
  out: Rows,
  logSumExp: RowScalars,
): void {
  const nothing = { start: 0, end: 0, causal: false };
  // Aligned at its end, a causal range of all far tokens grows by one with each query, as rangeStart does.
  const last = firstRangeStart + input.query.rows - 1;
  const all = last > 0 ? [{ range: { start: 0, end: last, causal: true } }] : [];
  const parts = { near: { list: near(), range: nothing }, far: far ? [{ list: far, range: nothing }] : all };
  attendParts(context, farRowsOf, input, parts, { out, logSumExp });
}

interface Attended {
  readonly out: Rows;
  readonly logSumExp: RowScalars;
}

/** Far keys, in several parts where there are, and near ones, wherever either end. Lists with a set for every head and query see each query as a head of its own. */
export function attendParts(
  context: MethodContext,
  farRowsOf: FarRowsOf,
  input: LayerInput,
  { near, far }: { readonly near: VisibleKeys; readonly far: readonly VisibleKeys[] },
  into: Attended,
): void {
  const { ops, scores } = context;
  const { query, key, value } = input;
  const { heads, rows, channels } = query;
  const attend = (from: Rows, keys: Rows, visible: VisibleKeys, { out, logSumExp }: Attended): void => {
    if (rows > 1 && visible.list?.sets === heads * rows) {
      ops.attention({
        ...{ query: eachRowAsHead(from), key: keys, value, ...scores, visible, out: eachRowAsHead(out) },
        logSumExp: { ...logSumExp, headStride: 1 },
      });
    } else ops.attention({ query: from, key: keys, value, ...scores, visible, out, logSumExp });
  };
  attend(query, key, near, into);
  if (far.length === 0) return;

  const owned: DeviceBuffer[] = [];
  const floats = (length: number, label: string): DeviceBuffer => {
    const buffer = ops.scratch('f32', length, label);
    owned.push(buffer);
    return buffer;
  };
  const rowsOfFar = farRowsOf(input);
  owned.push(...rowsOfFar.owned);
  const from = {
    out: headMajorRows(floats(heads * rows * channels, 'attention to far tokens'), heads, rows, channels),
    logSumExp: { buffer: floats(heads * rows, 'log-sum-exp of far tokens'), offset: 0, headStride: rows },
  };
  for (const part of far) {
    attend(rowsOfFar.query, rowsOfFar.key, part, from);
    ops.mergeAttention({ into, from });
  }
  ops.release(...owned);
}
