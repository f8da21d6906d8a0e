/** ESA's importance of middle tokens to a block of queries: Eqs. 3, 4 and 8 of arXiv 2502.14477. */
import type { ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { joinHeads, matrixRows, sliceRows, tokenMajorRows } from '../../../gpu/rows';
import type { LayerInput, MethodContext } from '../method';
import { unrotated } from './inputs';
import type { KeyCache } from './key-cache';
import type { Partition } from './partition';
import type { Projection } from './projection';

/** How queries are compared with keys: folded and rotated, then compressed unless `projection` is null. */
export interface Scorer {
  /** Position that folded queries are rotated to; null: not rotated. */
  readonly rotation: number | null;
  readonly projection: Projection | null;
  readonly keys: KeyCache;
}

/** Scores of the middle part. */
export interface MiddleScores {
  /** F_s, Eq. 4. */
  readonly peaks: ScoreRows;
  /** s′, Eq. 8: what top-k runs on, F_s breaking its ties. */
  readonly dilated: ScoreRows;
  readonly buffers: readonly DeviceBuffer[];
  release(): void;
}

export function middleScores(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  { initEnd, localStart }: Partition,
  proximity: number,
): MiddleScores {
  const { ops } = context;
  const length = localStart - initEnd;
  const query = compressedQueries(context, scorer, input);
  const key = sliceRows(scorer.keys.upTo(unrotated(input).key, localStart), initEnd, length);
  const peaks = scoreRow(ops.allocate('f32', length, 'peak scores'), length);
  const dilated = scoreRow(ops.allocate('f32', length, 'dilated scores'), length);
  ops.peakScores({ query: query.rows, key, out: peaks.buffer, outOffset: 0 });
  ops.dilate({ input: peaks, radius: proximity, out: dilated });
  query.release();
  const buffers = [peaks.buffer, dilated.buffer];
  return { peaks, dilated, buffers, release: () => ops.release(...buffers) };
}

/** f_s of every query and middle token (Eq. 3), dense [block, middle]. */
export function queryScores(
  context: MethodContext,
  scorer: Scorer,
  input: LayerInput,
  { initEnd, localStart }: Partition,
): DeviceBuffer {
  const { ops } = context;
  const length = localStart - initEnd;
  const query = compressedQueries(context, scorer, input);
  const key = sliceRows(scorer.keys.upTo(unrotated(input).key, localStart), initEnd, length);
  const buffer = ops.allocate('f32', query.rows.rows * length, 'scores by query');
  ops.matmul({ input: query.rows, weight: key, out: matrixRows(buffer, query.rows.rows, length) });
  query.release();
  return buffer;
}

/** q′ of the block: queries summed over each KV group, rotated, then projected; [block, d_G or d']. */
function compressedQueries(
  { ops, rotation: table, keyValueHeads, headDimension }: MethodContext,
  { rotation, projection }: Scorer,
  input: LayerInput,
): { rows: Rows; release(): void } {
  const { query } = unrotated(input);
  const width = keyValueHeads * headDimension;
  const buffer = ops.allocate('f32', query.rows * width, 'folded queries');
  const folded = tokenMajorRows(buffer, keyValueHeads, query.rows, headDimension);
  ops.sumHeads({ input: query, out: folded });
  if (table && rotation !== null) {
    ops.rotate({ input: folded, table, positions: { start: rotation, step: 0 }, out: folded });
  }
  if (!projection) return { rows: joinHeads(folded), release: () => ops.release(buffer) };
  const { queryMap, queryBias } = projection;
  const compressed = ops.allocate('f32', query.rows * queryMap.rows, 'compressed queries');
  const out = matrixRows(compressed, query.rows, queryMap.rows);
  ops.matmul({ input: joinHeads(folded), weight: queryMap, ...(queryBias ? { bias: queryBias } : {}), out });
  return { rows: out, release: () => ops.release(buffer, compressed) };
}

const scoreRow = (buffer: DeviceBuffer, length: number): ScoreRows => ({
  buffer,
  offset: 0,
  rows: 1,
  length,
  rowStride: length,
});
