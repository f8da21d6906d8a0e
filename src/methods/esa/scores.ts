/** ESA's importance of middle tokens to a block of queries: Eqs. 3, 4 and 8 of arXiv 2502.14477. */
import type { ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { joinHeads, matrixRows, sliceRows, tokenMajorRows } from '../../../gpu/rows';
import type { LayerInput, MethodContext } from '../method';
import { inBuffers, remembered } from '../remember';
import { unrotatedKey, unrotatedQuery } from './inputs';
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

/** Scores of all tokens before the local ones: infinite for initial tokens, which stay, then the middle's. */
export interface MiddleScores {
  /** F_s, Eq. 4. */
  readonly peaks: ScoreRows;
  /** s′, Eq. 8: what top-k runs on, F_s breaking its ties. */
  readonly dilated: ScoreRows;
  /** Buffers that no memo has. */
  readonly owned: readonly DeviceBuffer[];
}

/** F_s of the middle behind as many infinities as there are initial tokens; through the memo, if there is one. `initial`: as below. */
export function peakScores(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  parts: Partition,
  initial: DeviceBuffer,
) {
  const { ops, memo } = context;
  const { initEnd, localStart } = parts;
  return remembered(memo, `esa/peaks/${placeOf(scorer, input, parts)}`, () => {
    const buffer = ops.scratch('f32', localStart, 'peak scores');
    ops.copyRows({ input: matrixRows(initial, 1, initEnd), out: matrixRows(buffer, 1, initEnd) });
    recordPeaks(context, scorer, input, parts, buffer);
    return inBuffers(ops, [buffer], { buffer });
  });
}

/** Scores of the middle part; through the memo, if there is one. `initial`: infinities, at least one per initial token. */
export function middleScores(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  parts: Partition,
  proximity: number,
  initial: DeviceBuffer,
): MiddleScores {
  const { ops, memo } = context;
  const { initEnd, localStart } = parts;
  const row = (buffer: DeviceBuffer): ScoreRows => scoreRow(buffer, localStart);
  const middle = (buffer: DeviceBuffer): ScoreRows => scoreRow(buffer, localStart - initEnd, initEnd);
  const peaks = peakScores(context, scorer, input, parts, initial);
  const place = placeOf(scorer, input, parts);
  const dilated = remembered(memo, `esa/dilated/${proximity}/${place}`, () => {
    const buffer = ops.scratch('f32', localStart, 'dilated scores');
    ops.copyRows({ input: matrixRows(initial, 1, initEnd), out: matrixRows(buffer, 1, initEnd) });
    ops.dilate({ input: middle(peaks.value.buffer), radius: proximity, out: middle(buffer) });
    return inBuffers(ops, [buffer], { buffer });
  });
  return {
    peaks: row(peaks.value.buffer),
    dilated: row(dilated.value.buffer),
    owned: [...peaks.owned, ...dilated.owned],
  };
}

function placeOf({ name }: Scorer, { layer, block }: LayerInput, { initEnd, localStart }: Partition): string {
  return [name, layer, block.start, block.end, initEnd, localStart].join('/');
}

/** F_s of the middle, from its place in `out`. */
function recordPeaks(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  { initEnd, localStart }: Partition,
  out: DeviceBuffer,
): void {
  const key = sliceRows(
    scorer.keys.upTo(scorer.projection, () => unrotatedKey(input), localStart),
    initEnd,
    localStart - initEnd,
  );
  const query = compressedQueries(context, scorer, unrotatedQuery(input));
  context.ops.peakScores({ query: query.rows, key, out, outOffset: initEnd });
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
    scorer.keys.upTo(scorer.projection, () => unrotatedKey(input), localStart),
    initEnd,
    length,
  );
  const queries = sliceRows(unrotatedQuery(input), start - input.block.start, end - start);
  const query = compressedQueries(context, scorer, queries);
  const buffer = ops.scratch('f32', query.rows.rows * length, 'scores by query');
  ops.matmul({ input: query.rows, weight: key, out: matrixRows(buffer, query.rows.rows, length) });
  query.release();
  return buffer;
}

/** q′: queries [H, n, d] summed over each KV group, rotated, then projected; [n, d_G or d']. */
function compressedQueries(
  { ops, rotation: table, keyValueHeads, headDimension }: MethodContext,
  { rotation, projection }: Scorer,
  query: Rows,
): { rows: Rows; release(): void } {
  const width = keyValueHeads * headDimension;
  const buffer = ops.scratch('f32', query.rows * width, 'folded queries');
  const folded = tokenMajorRows(buffer, keyValueHeads, query.rows, headDimension);
  ops.sumHeads({ input: query, out: folded });
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

const scoreRow = (buffer: DeviceBuffer, length: number, offset = 0): ScoreRows => ({
  buffer,
  offset,
  rows: 1,
  length,
  rowStride: length,
});
