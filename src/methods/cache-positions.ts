/**
 * Attention at places inside the cache: kept key number j stands at position j, whatever its place in the text, and the
 * queries follow on. As the official StreamingLLM does (streaming_llm/kv_cache.py) and kvpress's KeyRerotationPress.
 */
import type { RowScalars } from '../../gpu/ops';
import type { Rows } from '../../gpu/rows';
import { eachRowAsHead, sliceHeads, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { UserError } from '../base/user-error';
import type { LayerInput, MethodContext, Selection, VisibleOfEach } from './method';

/** Attention of a block over what `selection` keeps, its keys and queries rotated to their places in the cache. */
export function attendInCache(
  context: MethodContext,
  input: LayerInput,
  selection: Pick<Selection, 'list' | 'made' | 'rangeStart'>,
  out: Rows,
  logSumExp: RowScalars,
): void {
  const { ops, scores } = context;
  const { list, made, rangeStart } = selection;
  const { layer, block, query, key, value, queryUnrotated, keyUnrotated } = input;
  const rotation = context.rotationOf(layer);
  if (!made && (!rotation || (!list && rangeStart === 0))) {
    const range = { start: rangeStart, end: block.end, causal: true };
    ops.attention({
      query,
      key,
      value,
      ...scores,
      visible: list ? { list, range } : { range },
      out,
      logSumExp,
    });
    return;
  }
  if (!queryUnrotated || !keyUnrotated) throw lacking();
  const scratch = new Scratch(ops);
  const placed = inCachePlaces(context, scratch, input, selection);
  const cachedValue = keptRows(scratch, value, selection, made?.value, 'values in the cache');
  ops.attention({
    ...placed,
    value: cachedValue,
    ...scores,
    visible: { range: { start: 0, end: placed.key.rows, causal: true } },
    out,
    logSumExp,
  });
  scratch.release();
}

/** Most numbers of keys that are brought to their places at once. */
export const MOST_PLACED = 2 ** 21;

/** The same for queries with lists of their own (MethodRun.attendEach), equally many keys for each: every one has its own places. */
export function attendEachInCache(
  context: MethodContext,
  input: LayerInput,
  visible: VisibleOfEach,
  out: Rows,
  logSumExp: RowScalars,
): void {
  const { ops, scores } = context;
  const { layer, query, key, value, queryUnrotated, keyUnrotated, block } = input;
  const table = context.rotationOf(layer);
  const { far } = visible;
  if (!far) {
    // Where nothing is left out places are those of the text.
    const range = { start: 0, end: block.end, causal: true };
    ops.attention({ query, key, value, ...scores, visible: { range }, out, logSumExp });
    return;
  }
  if (!queryUnrotated || !keyUnrotated) throw lacking();
  const { channels } = key;
  const near = visible.near();
  const rows = far.count + near.count;
  const [asked, answered] = [eachRowAsHead(queryUnrotated), eachRowAsHead(out)];
  const ofGroup = asked.heads / key.heads;
  const atOnce = Math.max(1, Math.floor(MOST_PLACED / (rows * channels)));
  for (let group = 0; group < key.heads; group++) {
    for (let first = 0; first < ofGroup; first += atOnce) {
      const start = group * ofGroup + first;
      const count = Math.min(atOnce, ofGroup - first);
      const scratch = new Scratch(ops);
      const gathered = (from: Rows, label: string): Rows => {
        const kept = scratch.rows(count, rows, channels, label);
        const ofKeyHead = sliceHeads(from, group, 1);
        let at = 0;
        for (const list of [far, near]) {
          const own = { ...list, sets: count, offset: list.offset + start * list.rowStride };
          ops.gatherListed({ input: ofKeyHead, list: own, out: sliceRows(kept, at, list.count) });
          at += list.count;
        }
        return kept;
      };
      const placedKey = gathered(keyUnrotated, 'keys in the cache');
      let placedQuery = sliceHeads(asked, start, count);
      if (table) {
        ops.rotate({ input: placedKey, table, positions: { start: 0, step: 1 }, out: placedKey });
        const input = placedQuery;
        placedQuery = scratch.rows(count, 1, channels, 'queries after the cache');
        ops.rotate({ input, table, positions: { start: rows - 1, step: 0 }, out: placedQuery });
      }
      ops.attention({
        ...{ query: placedQuery, key: placedKey, value: gathered(value, 'values in the cache'), ...scores },
        visible: { range: { start: 0, end: rows, causal: false } },
        out: sliceHeads(answered, start, count),
        logSumExp: { buffer: logSumExp.buffer, offset: logSumExp.offset + start, headStride: 1 },
      });
      scratch.release();
    }
  }
}

function lacking(): UserError {
  return new UserError(
    'Positions in the cache need queries and keys before rotation, which this capture lacks; use positions "original".',
  );
}

/** A block's queries and all keys that they see, rotated to their places in the cache; the block's own keys are the last. */
export function inCachePlaces(
  { ops, rotationOf }: MethodContext,
  scratch: Scratch,
  { layer, block, query, queryUnrotated, keyUnrotated }: LayerInput,
  selection: Pick<Selection, 'list' | 'made' | 'rangeStart'>,
): { readonly query: Rows; readonly key: Rows } {
  const { made } = selection;
  const key = keptRows(scratch, keyUnrotated!, selection, made?.key, 'keys in the cache');
  const rotation = rotationOf(layer);
  if (!rotation) return { query, key };
  const placedQuery = scratch.rows(query.heads, query.rows, query.channels, 'queries after the cache');
  ops.rotate({ input: key, table: rotation, positions: { start: 0, step: 1 }, out: key });
  const positions = { start: key.rows - (block.end - block.start), step: 1 } as const;
  ops.rotate({ input: queryUnrotated!, table: rotation, positions, out: placedQuery });
  return { query: placedQuery, key };
}

/**
 * The listed rows, those that were made and then those of the range, as many heads as `from` has, or as lists have sets. Lists are of
 * one length.
 */
export function keptRows(
  scratch: Scratch,
  from: Rows,
  { list, rangeStart }: Pick<Selection, 'list' | 'rangeStart'>,
  made: Rows | undefined,
  label: string,
): Rows {
  const { ops } = scratch;
  if (list?.countsOffset !== undefined) throw new Error('places in the cache are for lists of one length');
  const listed = list?.count ?? 0;
  const before = listed + (made?.rows ?? 0);
  const ranged = from.rows - rangeStart;
  const heads = Math.max(from.heads, list?.sets ?? 1);
  const out = scratch.rows(heads, before + ranged, from.channels, label);
  if (list) ops.gatherListed({ input: from, list, out: sliceRows(out, 0, listed) });
  // Of the heads that share one of `from` the first, the second …
  const sharing = heads / from.heads;
  for (let i = 0; i < sharing; i++) {
    const every = { ...sliceHeads(out, i, 1), heads: from.heads, headStride: sharing * out.headStride };
    if (made) ops.copyRows({ input: made, out: sliceRows(every, listed, made.rows) });
    ops.copyRows({ input: sliceRows(from, rangeStart, ranged), out: sliceRows(every, before, ranged) });
  }
  return out;
}
