/**
 * How queries look clusters up (modeling_llama.py, _centroid_lookup_simple): σ_j = exp(z_j) / Σ_m n_m exp(z_m) estimates the attention that
 * one key of cluster j gets, z the scaled product with its centroid and n the keys of a cluster.
 */
import type { IndexList, ScoreRows } from '../../../gpu/ops';
import { eachRowAsHead, headMajorRows, matrixRows, type Rows, tokenMajorRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { MethodContext } from '../method';
import { type Buffers, inBuffers } from '../remember';
import { denseScores } from '../units';
import type { Level } from './clusters';

/** Channels behind a head's own: the first is for ln n, the others keep rows of whole vectors whole. */
const MORE_CHANNELS = 4;
/** ln of no keys. */
const LOG_OF_NONE = -1e6;

/** A level on the device. */
export interface LookedUp extends Buffers {
  /** [G, clusters, d]. */
  readonly centroids: Rows;
  /** [G, clusters, d + MORE_CHANNELS]: ln n ÷ scale behind them, so that their log-sum-exp is that of all keys. */
  readonly weighted: Rows;
  readonly labels: IndexList;
}

/** `keyValueHeads` lists of labels and centroids. */
export function upload(
  { ops, keyValueHeads: heads, headDimension, scores }: MethodContext,
  { clusters, labels, centroids, counts }: Level,
): LookedUp {
  const width = headDimension + MORE_CHANNELS;
  const data = new Float32Array(heads * clusters * width);
  for (let row = 0; row < heads * clusters; row++) {
    data.set(centroids.subarray(row * headDimension, (row + 1) * headDimension), row * width);
    const log = counts[row]! > 0 ? Math.log(counts[row]!) : LOG_OF_NONE;
    data[row * width + headDimension] = log / scores.scale;
  }
  const [rows, indices] = [ops.upload(data, 'centroids'), ops.upload(labels, 'labels of clusters')];
  const weighted = headMajorRows(rows, heads, clusters, width);
  const count = labels.length / heads;
  return inBuffers(ops, [rows, indices], {
    weighted,
    centroids: { ...weighted, channels: headDimension },
    labels: { buffer: indices, offset: 0, sets: heads, count, rowStride: count },
  });
}

/** Whether queries look up together, by their mean, or each for itself. */
export type Asking = 'together' | 'each';

/**
 * Mean σ over queries [H, n, d], [H, clusters], or that of each, [H·n, clusters]: of the clusters of `among` alone, 0 for others; of all
 * where that is absent.
 */
export function sigma(
  context: MethodContext,
  asking: Asking,
  asked: Rows,
  { weighted, centroids }: LookedUp,
  among?: IndexList,
): ScoreRows {
  // Without a soft cap, which would cap the ln n of a cluster, too.
  const {
    ops,
    scores: { scale },
  } = context;
  const { channels } = asked;
  const { rows: clusters } = centroids;
  const scratch = new Scratch(ops);
  const copy = scratch.rows(asked.heads, asked.rows, channels + MORE_CHANNELS, 'queries for centroids');
  ops.copyRows({ input: asked, out: { ...copy, channels } });
  const more = asking === 'each' ? eachRowAsHead(copy) : copy;
  const { heads, rows } = more;
  const one = scratch.upload(Float32Array.of(1, ...new Array(MORE_CHANNELS - 1).fill(0)), 'channels of ones');
  ops.copyRows({
    input: { ...matrixRows(one, rows, MORE_CHANNELS), heads, headStride: 0, rowStride: 0 },
    out: { ...more, offset: channels, channels: MORE_CHANNELS },
  });
  const visible = among
    ? { list: among, range: { start: 0, end: 0, causal: false } }
    : { range: { start: 0, end: clusters, causal: false } };
  const out = scratch.rows(heads, rows, channels + MORE_CHANNELS, 'unused output');
  const logSumExp = scratch.scalars(heads, rows, 'log-sum-exp of all keys');
  ops.attention({ query: more, key: weighted, value: weighted, scale, visible, out, logSumExp });
  const sums = ops.scratch('f32', heads * clusters, 'looked-up clusters');
  const score = denseScores(sums, heads, clusters);
  ops.accumulatedAttention({
    query: { ...more, channels },
    key: centroids,
    scale,
    logSumExp,
    visible,
    out: score,
  });
  scratch.release();
  if (rows === 1) return score;
  const means = ops.scratch('f32', heads * clusters, 'looked-up clusters');
  ops.sumHeads({
    input: headMajorRows(sums, heads, 1, clusters),
    out: headMajorRows(means, heads, 1, clusters),
    factor: 1 / rows,
  });
  ops.release(sums);
  return denseScores(means, heads, clusters);
}

/** Every member's score: that of its cluster. [H, members]. */
export function spread({ ops }: Pick<MethodContext, 'ops'>, score: ScoreRows, labels: IndexList): ScoreRows {
  const { rows, length } = score;
  const buffer = ops.scratch('f32', rows * labels.count, 'scores of members');
  ops.gatherListed({
    input: headMajorRows(score.buffer, rows, length, 1),
    list: labels,
    out: headMajorRows(buffer, rows, labels.count, 1),
  });
  return denseScores(buffer, rows, labels.count);
}

/** Scores of each query [H·n, members] as [n·H, members], so that those of a query lie side by side. */
export function byQuery({ ops, queryHeads: heads }: MethodContext, score: ScoreRows): ScoreRows {
  const { rows, length } = score;
  const buffer = ops.scratch('f32', rows * length, 'scores of members');
  const queries = rows / heads;
  ops.copyRows({
    input: headMajorRows(score.buffer, heads, queries, length),
    out: tokenMajorRows(buffer, heads, queries, length),
  });
  ops.release(score.buffer);
  return denseScores(buffer, rows, length);
}

/** The members whose score is above the threshold, by query head; its buffer is the caller's. */
export function above({ ops }: Pick<MethodContext, 'ops'>, score: ScoreRows, threshold: number): IndexList {
  const { rows: sets, length: count } = score;
  const buffer = ops.scratch('u32', sets * (count + 1), 'kept keys');
  const list = { buffer, offset: 0, sets, count, rowStride: count, countsOffset: sets * count };
  ops.listAbove({ score, threshold, out: list });
  return list;
}
