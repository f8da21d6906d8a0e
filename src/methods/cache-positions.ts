/**
 * Attention at places inside the cache: kept key number j stands at position j, whatever its place in the text, and the
 * queries follow on. As the official StreamingLLM does (streaming_llm/kv_cache.py) and kvpress's KeyRerotationPress.
 */
import type { Ops, RowScalars } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import { sliceHeads, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { UserError } from '../base/user-error';
import type { LayerInput, MethodContext, Selection } from './method';

/** Attention of a block over what `selection` keeps, its keys and queries rotated to their places in the cache. */
export function attendInCache(
  context: MethodContext,
  input: LayerInput,
  selection: Pick<Selection, 'list' | 'made' | 'rangeStart'>,
  out: Rows,
  logSumExp: RowScalars,
): void {
  const { ops, rotation, attentionScale: scale } = context;
  const { list, made, rangeStart } = selection;
  const { block, query, key, value, queryUnrotated, keyUnrotated } = input;
  if (!made && (!rotation || (!list && rangeStart === 0))) {
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
  const before = (list?.count ?? 0) + (made?.key.rows ?? 0);
  const rows = before + block.end - rangeStart;
  const scratch = new Scratch(ops);
  const cachedKey = scratch.rows(heads, rows, channels, 'keys in the cache');
  const cachedValue = scratch.rows(heads, rows, channels, 'values in the cache');
  gatherKept(ops, keyUnrotated, selection, made?.key, cachedKey);
  gatherKept(ops, value, selection, made?.value, cachedValue);
  let placedQuery = query;
  if (rotation) {
    placedQuery = scratch.rows(query.heads, query.rows, channels, 'queries after the cache');
    ops.rotate({ input: cachedKey, table: rotation, positions: { start: 0, step: 1 }, out: cachedKey });
    const positions = { start: before + block.start - rangeStart, step: 1 } as const;
    ops.rotate({ input: queryUnrotated, table: rotation, positions, out: placedQuery });
  }
  ops.attention({
    query: placedQuery,
    key: cachedKey,
    value: cachedValue,
    scale,
    visible: { range: { start: 0, end: rows, causal: true } },
    out,
    logSumExp,
  });
  scratch.release();
}

/** Copies the listed rows, those that were made and then those of the range, head by head. Lists have one set, or one per head of `from`. */
function gatherKept(
  ops: Ops,
  from: Rows,
  { list, rangeStart }: Pick<Selection, 'list' | 'rangeStart'>,
  made: Rows | undefined,
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
  if (made) ops.copyRows({ input: made, out: sliceRows(out, listed, made.rows) });
  const before = listed + (made?.rows ?? 0);
  const ranged = out.rows - before;
  ops.copyRows({ input: sliceRows(from, rangeStart, ranged), out: sliceRows(out, before, ranged) });
}
