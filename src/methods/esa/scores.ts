/** ESA's importance of middle tokens to a block of queries: Eqs. 3, 4 and 8 of arXiv 2502.14477. */
import type { ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { joinHeads, matrixRows, sliceRows, tokenMajorRows } from '../../../gpu/rows';
import type { LayerInput, MethodContext } from '../method';
import { inBuffers, remembered } from '../remember';
import { unrotatedKey, unrotatedQuery } from '../unrotated';
import type { KeyCache } from './key-cache';
import type { Partition } from './partition';
import type { Projection } from './projection';

/** How queries are compared with keys: folded and rotated, then compressed unless `projection` is null. */
export interface Scorer {
  /** Names this way of comparing among those of the layer. */
  readonly name: string;
  /** Position that folded queries are rotated to; null: not rotated. */
  readonly rotation: number | null;
  readonly projection: Projection | null;
  readonly keys: KeyCache;
}

/** Which tokens are scored: those before the block's local ones, or before the local ones of each query that is a block of one. */
export interface Scored {
  /** Of the block, or of the first query. */
  readonly parts: Partition;
  /** How many queries have a row of their own, each with a middle one token longer than the last; null: one row for the block. */
  readonly queries: number | null;
}

/**
 * Scores of all tokens before the local ones: infinite for initial tokens, which stay, then the middle's. One row for the block,
 * or one for each query; beyond a query's middle stands what is below every score.
 */
export interface MiddleScores {
  /** F_s, Eq. 4. */
  readonly importance: ScoreRows;
  /** s′, Eq. 8: what top-k runs on, F_s breaking its ties. */
  readonly dilated: ScoreRows;
  /** Buffers that no memo has. */
  readonly owned: readonly DeviceBuffer[];
}

/** F_s of the middle behind as many infinities as there are initial tokens; through the memo, if there is one. `initial`: as below. */
export function importanceScores(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  scored: Scored,
  initial: DeviceBuffer,
) {
  return remembered(context.memo, `esa/importance/${placeOf(scorer, input, scored)}`, () => {
    const buffer = withInitial(context, scored, initial, 'ESA importance');
    encodeImportance(context, scorer, input, scored, buffer);
    return inBuffers(context.ops, [buffer], { buffer });
  });
}

/** Scores of the middle part; through the memo, if there is one. `initial`: infinities, at least one per initial token. */
export function middleScores(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  scored: Scored,
  proximity: number,
  initial: DeviceBuffer,
): MiddleScores {
  const { ops, memo } = context;
  const { parts, queries } = scored;
  const importance = importanceScores(context, scorer, input, scored, initial);
  const place = placeOf(scorer, input, scored);
  const dilated = remembered(memo, `esa/dilated/${proximity}/${place}`, () => {
    const buffer = withInitial(context, scored, initial, 'dilated scores');
    ops.pool({
      kind: 'max',
      input: middleRows(importance.value.buffer, scored),
      width: 2 * proximity + 1,
      ...(queries === null ? {} : { firstLength: parts.localStart - parts.initEnd }),
      out: middleRows(buffer, scored),
    });
    return inBuffers(ops, [buffer], { buffer });
  });
  return {
    importance: allRows(importance.value.buffer, scored),
    dilated: allRows(dilated.value.buffer, scored),
    owned: [...importance.owned, ...dilated.owned],
  };
}

/** Rows of all tokens before the local ones, as wide as the longest. */
function allRows(buffer: DeviceBuffer, { parts, queries }: Scored): ScoreRows {
  const length = parts.localStart + Math.max(0, (queries ?? 1) - 1);
  return { buffer, offset: 0, rows: queries ?? 1, length, rowStride: length };
}

/** The middle's part of them. */
export function middleRows(buffer: DeviceBuffer, scored: Scored): ScoreRows {
  const all = allRows(buffer, scored);
  const { initEnd } = scored.parts;
  return { ...all, offset: initEnd, length: all.length - initEnd };
}

/** A buffer for the scores, filled in for the initial tokens. */
function withInitial(
  { ops }: MethodContext,
  scored: Scored,
  initial: DeviceBuffer,
  label: string,
): DeviceBuffer {
  const { rows, length } = allRows(initial, scored);
  const { initEnd } = scored.parts;
  const buffer = ops.scratch('f32', rows * length, label);
  ops.copyRows({
    input: { ...matrixRows(initial, rows, initEnd), rowStride: 0 },
    out: { ...matrixRows(buffer, rows, initEnd), rowStride: length },
  });
  return buffer;
}

function placeOf({ name }: Scorer, { layer, block }: LayerInput, { parts, queries }: Scored): string {
  const { initEnd, localStart } = parts;
  const rows = queries === null ? 'block' : 'each';
  return [name, layer, block.start, block.end, initEnd, localStart, rows].join('/');
}

/** F_s of the middle, at its place in `out`. */
function encodeImportance(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  scored: Scored,
  out: DeviceBuffer,
): void {
  const { initEnd, localStart } = scored.parts;
  const middle = middleRows(out, scored);
  const key = sliceRows(
    scorer.keys.upTo(scorer.projection, () => unrotatedKey('esa', input), initEnd + middle.length),
    initEnd,
    middle.length,
  );
  const query = compressedQueries(context, input.layer, scorer, unrotatedQuery('esa', input));
  const { ops } = context;
  if (scored.queries === null) ops.esaImportance({ query: query.rows, key, out, outOffset: initEnd });
  else ops.esaImportanceByQuery({ query: query.rows, key, firstLength: localStart - initEnd, out: middle });
  query.release();
}

/** f_s of the queries [start, end) of the block and every middle token (Eq. 3), dense [queries, middle]. */
export function queryScores(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  { initEnd, localStart }: Partition,
  { start, end }: { readonly start: number; readonly end: number },
): DeviceBuffer {
  const { ops } = context;
  const length = localStart - initEnd;
  const key = sliceRows(
    scorer.keys.upTo(scorer.projection, () => unrotatedKey('esa', input), localStart),
    initEnd,
    length,
  );
  const queries = sliceRows(unrotatedQuery('esa', input), start - input.block.start, end - start);
  const query = compressedQueries(context, input.layer, scorer, queries);
  const buffer = ops.scratch('f32', query.rows.rows * length, 'scores by query');
  ops.matmul({ input: query.rows, weight: key, out: matrixRows(buffer, query.rows.rows, length) });
  query.release();
  return buffer;
}

/** q′: queries [H, n, d] summed over each KV group, rotated, then projected; [n, d_G or d']. */
function compressedQueries(
  { ops, rotationOf, keyValueHeads, headDimension }: MethodContext,
  layer: number,
  { rotation, projection }: Scorer,
  query: Rows,
): { rows: Rows; release(): void } {
  const width = keyValueHeads * headDimension;
  const buffer = ops.scratch('f32', query.rows * width, 'folded queries');
  const folded = tokenMajorRows(buffer, keyValueHeads, query.rows, headDimension);
  ops.sumHeads({ input: query, out: folded });
  const table = rotationOf(layer);
  if (table && rotation !== null) {
    ops.rotate({ input: folded, table, positions: { start: rotation, step: 0 }, out: folded });
  }
  if (!projection) return { rows: joinHeads(folded), release: () => ops.release(buffer) };
  const { queryMap, queryBias } = projection;
  const compressed = ops.scratch('f32', query.rows * queryMap.rows, 'compressed queries');
  const out = matrixRows(compressed, query.rows, queryMap.rows);
  ops.matmul({ input: joinHeads(folded), weight: queryMap, ...(queryBias ? { bias: queryBias } : {}), out });
  return { rows: out, release: () => ops.release(buffer, compressed) };
}
