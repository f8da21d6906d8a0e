import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { asVectors } from '../../webgpu/vectors';
import shader from './bound-scores.wgsl';
import { type BoundScoresArguments, checkBoundScores } from './op';

const kernel = defineKernel('bound-scores', shader);

/** Query rows that a thread scores at most. */
const MOST_ROWS = 4;

/** Encodes `Ops.boundScores`. */
export function boundScores(encoder: CommandEncoder, a: BoundScoresArguments): void {
  checkBoundScores(a);
  const { out, byQuery } = a;
  if (out.rows === 0 || out.length === 0) return;
  const [query, minimum, maximum] = [a.query, a.minimum, a.maximum].map((view) => asVectors(encoder, view));
  const rows = out.rows / a.minimum.heads;
  const rowsPerThread = Math.min(MOST_ROWS, 2 ** Math.ceil(Math.log2(rows)));
  const threads = a.minimum.heads * Math.ceil(rows / rowsPerThread) * out.length;
  const { channels } = a.query;
  const key = byQuery && asVectors(encoder, byQuery.key);
  encoder.dispatch({
    kernel,
    constants: { ROWS: rowsPerThread, BY_QUERY: byQuery !== undefined },
    buffers: {
      query: query!.buffer,
      minimum: minimum!.buffer,
      maximum: maximum!.buffer,
      key: key?.buffer ?? encoder.unused,
      out: out.buffer,
    },
    parameters: {
      groups: a.minimum.heads,
      headsPerGroup: a.query.heads / a.minimum.heads,
      queryRows: a.query.rows,
      pages: out.length,
      vectors: channels === 0 ? 0 : query!.channels / 4,
      queryOffset: query!.offset / 4,
      queryHeadStride: query!.headStride / 4,
      queryRowStride: query!.rowStride / 4,
      minimumOffset: minimum!.offset / 4,
      minimumHeadStride: minimum!.headStride / 4,
      minimumRowStride: minimum!.rowStride / 4,
      maximumOffset: maximum!.offset / 4,
      maximumHeadStride: maximum!.headStride / 4,
      maximumRowStride: maximum!.rowStride / 4,
      outOffset: out.offset,
      outRowStride: out.rowStride,
      pageLength: byQuery?.pageLength ?? 1,
      firstTokens: byQuery?.firstTokens ?? 0,
      keyOffset: (key?.offset ?? 0) / 4,
      keyHeadStride: (key?.headStride ?? 0) / 4,
      keyRowStride: (key?.rowStride ?? 0) / 4,
    },
    workgroups: linearGrid(Math.ceil(threads / 64), encoder.maxWorkgroupsPerDimension),
    work: {
      flops: 4 * out.rows * out.length * channels,
      bytes: 4 * (out.rows * out.length + threads * 2 * channels),
    },
  });
}
