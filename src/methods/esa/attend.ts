/**
 * ESA's attention (arXiv 2502.14477, section 3.2 and App. G, Alg. 1): far tokens (initial and selected) un-rotated, seen from
 * position w; local ones and the block at their distances; merged by log-sum-exp.
 */
import type { RowScalars } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { headMajorRows } from '../../../gpu/rows';
import type { FarRows, LayerInput, MethodContext, Selection, UnrotatedInput } from '../method';
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
  const { ops, attentionScale: scale } = context;
  const { block, query, key, value } = input;
  const range = { start: rangeStart, end: block.end, causal: true };
  ops.attention({ query, key, value, scale, visible: { range }, out, logSumExp });
  if (!list) return;

  const { heads, rows, channels } = query;
  const owned: DeviceBuffer[] = [];
  const floats = (length: number, label: string): DeviceBuffer => {
    const buffer = ops.scratch('f32', length, label);
    owned.push(buffer);
    return buffer;
  };
  const far = farRows(context, globalPosition, input);
  owned.push(...far.owned);
  const farOut = headMajorRows(
    floats(heads * rows * channels, 'attention to far tokens'),
    heads,
    rows,
    channels,
  );
  const farLogSumExp = {
    buffer: floats(heads * rows, 'log-sum-exp of far tokens'),
    offset: 0,
    headStride: rows,
  };
  ops.attention({
    query: far.query,
    key: far.key,
    value,
    scale,
    visible: { list, range: { start: 0, end: 0, causal: false } },
    out: farOut,
    logSumExp: farLogSumExp,
  });
  ops.mergeAttention({ into: { out, logSumExp }, from: { out: farOut, logSumExp: farLogSumExp } });
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
