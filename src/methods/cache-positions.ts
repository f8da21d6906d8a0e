/**
 * Attention at places inside the cache: kept key number j stands at position j, whatever its place in the text, and the
 * queries follow on. As the official StreamingLLM does (streaming_llm/kv_cache.py) and kvpress's KeyRerotationPress.
 */
import type { Ops, RowScalars } from '../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../gpu/rows';
import { headMajorRows, sliceHeads, sliceRows } from '../../gpu/rows';
import { UserError } from '../base/user-error';
import type { LayerInput, MethodContext, Selection } from './method';

/** Attention of a block over what `selection` keeps, its keys and queries rotated to their places in the cache. */
export function attendInCache(
  context: MethodContext,
  input: LayerInput,
  selection: Pick<Selection, 'list' | 'rangeStart'>,
  out: Rows,
  logSumExp: RowScalars,
): void {
  const { ops, rotation, attentionScale: scale } = context;
  const { list, rangeStart } = selection;
  const { block, query, key, value, queryUnrotated, keyUnrotated } = input;
  if (!rotation || (!list && rangeStart === 0)) {
    const range = { start: rangeStart, end: block.end, causal: true };
    ops.attention({ query, key, value, scale, visible: list ? { list, range } : { range }, out, logSumExp });
    return;
  }
  if (!queryUnrotated || !keyUnrotated) {
    throw new UserError(
      'Positions in the cache need queries and keys before rotation, which this capture lacks; use positions "original".',
    );
  }
  const { heads, channels } = key;
  const listed = list?.count ?? 0;
  const rows = listed + block.end - rangeStart;
  const owned: DeviceBuffer[] = [];
  const allocate = (count: number, length: number, label: string): Rows => {
    const buffer = ops.allocate('f32', count * length * channels, label);
    owned.push(buffer);
    return headMajorRows(buffer, count, length, channels);
  };
  const cachedKey = allocate(heads, rows, 'keys in the cache');
  const cachedValue = allocate(heads, rows, 'values in the cache');
  const placedQuery = allocate(query.heads, query.rows, 'queries after the cache');
  gatherKept(ops, keyUnrotated, selection, cachedKey);
  gatherKept(ops, value, selection, cachedValue);
  ops.rotate({ input: cachedKey, table: rotation, positions: { start: 0, step: 1 }, out: cachedKey });
  const firstPlace = listed + block.start - rangeStart;
  ops.rotate({
    input: queryUnrotated,
    table: rotation,
    positions: { start: firstPlace, step: 1 },
    out: placedQuery,
  });
  ops.attention({
    query: placedQuery,
    key: cachedKey,
    value: cachedValue,
    scale,
    visible: { range: { start: 0, end: rows, causal: true } },
    out,
    logSumExp,
  });
  ops.release(...owned);
}

/** Copies the listed rows and then those of the range, head by head. Lists have one set, or one per head of `from`. */
function gatherKept(
  ops: Ops,
  from: Rows,
  { list, rangeStart }: Pick<Selection, 'list' | 'rangeStart'>,
  out: Rows,
): void {
  const listed = list?.count ?? 0;
  for (let head = 0; list && head < from.heads; head++) {
    const set = Math.floor((head * list.sets) / from.heads);
    ops.gatherRows({
      table: sliceHeads(from, head, 1),
      indices: list.buffer,
      indexOffset: list.offset + set * list.rowStride,
      out: sliceRows(sliceHeads(out, head, 1), 0, listed),
    });
  }
  const ranged = out.rows - listed;
  ops.copyRows({ input: sliceRows(from, rangeStart, ranged), out: sliceRows(out, listed, ranged) });
}
