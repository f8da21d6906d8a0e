/**
 * ESA's attention (arXiv 2502.14477, section 3.2 and App. G, Alg. 1): far tokens (initial and selected) un-rotated, seen from
 * position w; local ones and the block at their distances; merged by log-sum-exp.
 */
import type { RowScalars } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { headMajorRows } from '../../../gpu/rows';
import type { LayerInput, MethodContext, Selection } from '../method';
import { unrotatedKey, unrotatedQuery } from './inputs';

/**
 * The paper re-bases local positions to 0…; rotary logits depend on differences alone, so the model's own rotation gives the
 * same and saves rotating the keys again.
 */
export function attendEsa(
  { ops, rotation, attentionScale: scale }: MethodContext,
  globalPosition: number,
  input: LayerInput,
  { list, rangeStart }: Pick<Selection, 'list' | 'rangeStart'>,
  out: Rows,
  logSumExp: RowScalars,
): void {
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
  const unrotated = unrotatedQuery(input);
  let farQuery = unrotated;
  if (rotation) {
    farQuery = headMajorRows(floats(heads * rows * channels, 'queries at w'), heads, rows, channels);
    ops.rotate({
      input: unrotated,
      table: rotation,
      positions: { start: globalPosition, step: 0 },
      out: farQuery,
    });
    // Keys stand at 0, where a rotary table is the identity but for YaRN's factor; it is applied to the query instead.
    if (rotation.scale !== 1) {
      ops.rotate({ input: farQuery, table: rotation, positions: { start: 0, step: 0 }, out: farQuery });
    }
  }
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
    query: farQuery,
    key: unrotatedKey(input),
    value,
    scale,
    visible: { list, range: { start: 0, end: 0, causal: false } },
    out: farOut,
    logSumExp: farLogSumExp,
  });
  ops.mergeAttention({ into: { out, logSumExp }, from: { out: farOut, logSumExp: farLogSumExp } });
  ops.release(...owned);
}
