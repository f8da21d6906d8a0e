/**
 * Which channels of the keys stay (ThinK, arXiv 2407.21018; kvpress think_press.py): those by which keys and the last queries are
 * largest, e[g,j] = mean over queries i and heads h of Q[h,i,j]² · mean_t K[g,t,j]².
 */
import type { IndexList, Ops, ScoreRows } from '../../../gpu/ops';
import { headMajorRows, type Rows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { denseScores } from '../units';

/** The unit matrix, as one for each of `heads`. */
function unit(scratch: Scratch, size: number, heads: number): Rows {
  const ones = Float32Array.from({ length: size * size }, (_, i) => (i % (size + 1) === 0 ? 1 : 0));
  return { ...headMajorRows(scratch.upload(ones, 'unit matrix'), heads, size, size), headStride: 0 };
}

/** The diagonal of square matrices [heads, size, size]. */
const diagonal = (matrices: Rows): Rows => ({
  ...matrices,
  channels: 1,
  rowStride: matrices.rowStride + 1,
});

/** Mean square of every channel over rows and the heads of a group, [groups, d, 1]. */
function meanSquares(scratch: Scratch, input: Rows, groups: number): Rows {
  const { ops } = scratch;
  const { heads, rows, channels: d } = input;
  const byChannel = scratch.rows(heads, d, rows, 'rows by channel');
  ops.matmul({ input: unit(scratch, d, heads), weight: input, out: byChannel });
  const products = scratch.rows(heads, d, d, 'products of channels');
  ops.matmul({ input: byChannel, weight: byChannel, out: products });
  const means = scratch.rows(groups, d, 1, 'mean squares of channels');
  ops.sumHeads({ input: diagonal(products), out: means, factor: groups / (heads * rows) });
  return means;
}

/** Scores of the channels of `key` [G, n, d] by the queries [H, w, d]; the caller releases the buffer. */
export function channelScores(ops: Ops, query: Rows, key: Rows): ScoreRows {
  const { heads, channels: d } = key;
  const scratch = new Scratch(ops);
  const products = scratch.rows(heads, d, d, 'products of mean squares');
  const [ofQueries, ofKeys] = [meanSquares(scratch, query, heads), meanSquares(scratch, key, heads)];
  ops.matmul({ input: ofQueries, weight: ofKeys, out: products });
  const buffer = ops.scratch('f32', heads * d, 'scores of channels');
  ops.copyRows({ input: diagonal(products), out: headMajorRows(buffer, heads, d, 1) });
  scratch.release();
  return denseScores(buffer, heads, d);
}

/** The `count` best channels of every head; the caller releases the buffer. */
export function bestChannels(ops: Ops, score: ScoreRows, count: number): IndexList {
  const sets = score.rows;
  const buffer = ops.scratch('u32', sets * count, 'kept channels');
  const list = { buffer, offset: 0, sets, count, rowStride: count };
  ops.topK({ score, count, indexBase: 0, out: list });
  return list;
}

/** `key` [G, n, d] with zeros in all channels that are not listed; the caller releases the buffer. */
export function withChannels(ops: Ops, key: Rows, { sets, count, ...list }: IndexList): Rows {
  const { heads, rows, channels: d } = key;
  const scratch = new Scratch(ops);
  // Unit vectors of the listed channels as rows E; EᵀE leaves those channels as they are, and nothing of the others.
  const listed = scratch.rows(sets, count, d, 'unit vectors of kept channels');
  ops.gatherListed({ input: unit(scratch, d, 1), list: { ...list, sets, count }, out: listed });
  const turned = scratch.rows(sets, d, count, 'the same by channel');
  ops.matmul({ input: unit(scratch, d, sets), weight: listed, out: turned });
  const mask = scratch.rows(sets, d, d, 'kept channels as a matrix');
  ops.matmul({ input: turned, weight: turned, out: mask });
  const out = headMajorRows(ops.scratch('f32', heads * rows * d, 'keys of fewer channels'), heads, rows, d);
  ops.matmul({ input: key, weight: mask, out });
  scratch.release();
  return out;
}
