import type { Rows } from '../../rows';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { linearGrid } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import type { Work } from '../../webgpu/pacer';
import { visibleParameters } from '../../webgpu/visible-keys';
import { scoreParameters } from '../../wgsl/parts/score';
import shader from './attention-merge-splits.wgsl';
import type { AttentionArguments } from './op';

const kernel = defineKernel('attention-merge-splits', shader);

const THREADS = 64;

/** The arguments of an attention with inputs that can be read as vectors of four. */
export interface VectorInputs {
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
}

/** How the visible keys of all queries are cut: each split gets a result of its own, and one split the result itself. */
export interface SplitKv {
  readonly splits: number;
  readonly keysPerSplit: number;
}

/** Keys that some of `rows` neighbouring queries may see: those of the list and those of the range. */
export function visibleKeys({ visible: { list, range } }: AttentionArguments, rows = 1): number {
  const inWindow = (range.window ?? Number.POSITIVE_INFINITY) + rows - 1;
  return (list?.count ?? 0) + Math.min(range.end - range.start, inWindow);
}

/** Where a kernel writes: the result itself, or the results of splits. What it does not write is a stand-in. */
export function attentionOutputs(encoder: CommandEncoder, a: AttentionArguments, { splits }: SplitKv) {
  if (splits === 1) {
    return {
      out: a.out.buffer,
      logSumExp: a.logSumExp?.buffer ?? encoder.unusedOutput(0),
      splitResults: encoder.unusedOutput(2),
    };
  }
  const vectors = Math.max(1, Math.ceil(a.query.channels / 4));
  const length = a.query.heads * a.query.rows * splits * (4 * vectors + 2);
  return {
    out: encoder.unusedOutput(1),
    logSumExp: encoder.unusedOutput(0),
    splitResults: encoder.temporary('f32', length, 'attention of splits'),
  };
}

/** Makes the result from those of several splits. */
export function mergeSplits(
  encoder: CommandEncoder,
  a: AttentionArguments,
  { query }: VectorInputs,
  { splits }: SplitKv,
  splitResults: ReturnType<typeof attentionOutputs>['splitResults'],
): void {
  if (splits === 1) return;
  const { channels } = query;
  const queries = query.heads * query.rows;
  const lanes = Math.min(THREADS, 2 ** Math.ceil(Math.log2(a.out.channels)));
  encoder.dispatch({
    kernel,
    constants: { LANES: lanes },
    buffers: {
      splitResults,
      out: a.out.buffer,
      logSumExp: a.logSumExp?.buffer ?? encoder.unusedOutput(0),
    },
    parameters: [{ items: queries, splits, channels, queryRows: query.rows }, outputParameters(a)],
    workgroups: linearGrid(Math.ceil((queries * lanes) / THREADS), encoder.maxWorkgroupsPerDimension),
    work: { flops: 4 * queries * splits * channels, bytes: 4 * queries * splits * channels },
  });
}

function outputParameters(a: AttentionArguments) {
  return {
    outOffset: a.out.offset,
    outHeadStride: a.out.headStride,
    outRowStride: a.out.rowStride,
    outChannels: a.out.channels,
    logSumExpOffset: a.logSumExp?.offset ?? 0,
    logSumExpHeadStride: a.logSumExp?.headStride ?? 0,
    hasLogSumExp: Number(a.logSumExp !== undefined),
  };
}

/** What every kernel needs to know of the views. */
export function attentionParameters(a: AttentionArguments, { query, key, value }: VectorInputs) {
  const inputs = {
    queryRows: query.rows,
    headsPerGroup: query.heads / key.heads,
    ...scoreParameters(a),
    queryOffset: query.offset / 4,
    queryHeadStride: query.headStride / 4,
    queryRowStride: query.rowStride / 4,
    keyOffset: key.offset / 4,
    keyHeadStride: key.headStride / 4,
    keyRowStride: key.rowStride / 4,
    valueOffset: value.offset / 4,
    valueHeadStride: value.headStride / 4,
    valueRowStride: value.rowStride / 4,
    ...visibleParameters(a.visible, query.heads),
  };
  return [inputs, outputParameters(a)] as const;
}

/** Two products of 2·d operations per visible key, and its exponential. */
export function attentionWork({ query, visible }: AttentionArguments): Work {
  const { list, range } = visible;
  const length = range.end - range.start;
  const hidden = range.causal ? Math.min(length, query.rows) / 2 : 0;
  const keys = (list?.count ?? 0) + Math.min(length - hidden, range.window ?? length);
  const pairs = query.heads * query.rows * keys;
  return {
    flops: pairs * (4 * query.channels + 8),
    bytes: 8 * keys * query.channels * query.heads + 8 * query.heads * query.rows * query.channels,
  };
}
