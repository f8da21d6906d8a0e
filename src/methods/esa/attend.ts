/**
 * ESA's attention (arXiv 2502.14477, section 3.2 and App. G, Alg. 1): far tokens (initial and selected) un-rotated, seen from
 * position w; local ones and the block at their distances; merged by log-sum-exp.
 */
import type { RowScalars, VisibleKeys } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { eachRowAsHead, headMajorRows } from '../../../gpu/rows';
import type { FarRows, LayerInput, MethodContext, Selection, UnrotatedInput, VisibleOfEach } from '../method';
import { unrotatedKey, unrotatedQuery } from './inputs';

/**
 * The paper re-bases local positions to 0…; rotary logits depend on differences alone, so the model's own rotation gives the
 * same and saves rotating the keys again.
 */
export function attendEsa(
  context: MethodContext,
  globalPosition: number,
  input: LayerInput,
  { list, rangeStart }: Pick<Selection, 'list' | 'rangeStart'>,
  out: Rows,
  logSumExp: RowScalars,
): void {
  const near = { range: { start: rangeStart, end: input.block.end, causal: true } };
  const far = list && { list, range: { start: 0, end: 0, causal: false } };
  attendParts(context, globalPosition, input, { near, far }, { out, logSumExp });
}

/** The same for queries with lists of their own (MethodRun.attendEach). */
export function attendEachEsa(
  context: MethodContext,
  globalPosition: number,
  input: LayerInput,
  { near, far, firstRangeStart }: VisibleOfEach,
  out: Rows,
  logSumExp: RowScalars,
): void {
  const nothing = { start: 0, end: 0, causal: false };
  // Aligned at its end, a causal range of all far tokens grows by one with each query, as rangeStart does.
  const last = firstRangeStart + input.query.rows - 1;
  const parts = {
    near: { list: near, range: nothing },
    far: far ? { list: far, range: nothing } : { range: { start: 0, end: last, causal: true } },
  };
  attendParts(context, globalPosition, input, parts, { out, logSumExp });
}

interface Attended {
  readonly out: Rows;
  readonly logSumExp: RowScalars;
}

/** Lists with a set for every head and query see each query as a head of its own. */
function attendParts(
  context: MethodContext,
  globalPosition: number,
  input: LayerInput,
  { near, far }: { readonly near: VisibleKeys; readonly far: VisibleKeys | null },
  into: Attended,
): void {
  const { ops, attentionScale: scale } = context;
  const { query, key, value } = input;
  const { heads, rows, channels } = query;
  const attend = (from: Rows, keys: Rows, visible: VisibleKeys, { out, logSumExp }: Attended): void => {
    if (rows > 1 && visible.list?.sets === heads * rows) {
      ops.attention({
        ...{ query: eachRowAsHead(from), key: keys, value, scale, visible, out: eachRowAsHead(out) },
        logSumExp: { ...logSumExp, headStride: 1 },
      });
    } else ops.attention({ query: from, key: keys, value, scale, visible, out, logSumExp });
  };
  attend(query, key, near, into);
  if (!far) return;

  const owned: DeviceBuffer[] = [];
  const floats = (length: number, label: string): DeviceBuffer => {
    const buffer = ops.scratch('f32', length, label);
    owned.push(buffer);
    return buffer;
  };
  const rowsOfFar = farRows(context, globalPosition, input);
  owned.push(...rowsOfFar.owned);
  const from = {
    out: headMajorRows(floats(heads * rows * channels, 'attention to far tokens'), heads, rows, channels),
    logSumExp: { buffer: floats(heads * rows, 'log-sum-exp of far tokens'), offset: 0, headStride: rows },
  };
  attend(rowsOfFar.query, rowsOfFar.key, far, from);
  ops.mergeAttention({ into, from });
  ops.release(...owned);
}

/** Queries seen from position w, and un-rotated keys: what far tokens are compared by. The caller releases `owned`. */
export function farRows(
  { ops, rotation }: Pick<MethodContext, 'ops' | 'rotation'>,
  globalPosition: number,
  input: UnrotatedInput,
): FarRows {
  const query = unrotatedQuery(input);
  const key = unrotatedKey(input);
  if (!rotation) return { query, key, owned: [] };
  const { heads, rows, channels } = query;
  const buffer = ops.scratch('f32', heads * rows * channels, 'queries at w');
  const out = headMajorRows(buffer, heads, rows, channels);
  ops.rotate({ input: query, table: rotation, positions: { start: globalPosition, step: 0 }, out });
  // Keys stand at 0, where a rotary table is the identity but for YaRN's factor; it is applied to the query instead.
  if (rotation.scale !== 1) {
    ops.rotate({ input: out, table: rotation, positions: { start: 0, step: 0 }, out });
  }
  return { query: out, key, owned: [buffer] };
}
