import type { Rows } from '../../rows';
import { type Arguments, checkAttention } from '../../validate';
import { linearGrid, spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Work } from '../pacer';
import type { Recorder } from '../recorder';
import { asVectors } from '../vectors';
import { shareOf } from '../weights';
import code from './attention.wgsl?raw';
import mergeCode from './attention-merge-spans.wgsl?raw';

const kernel = defineKernel('attention', code, {
  query: 'read',
  key: 'read',
  value: 'read',
  list: 'read',
  out: 'write',
  logSumExp: 'write',
  spanResults: 'write',
});
const mergeSpans = defineKernel('attention-merge-spans', mergeCode, {
  spanResults: 'read',
  out: 'write',
  logSumExp: 'write',
});

const THREADS = 64;
/** Keys worth a thread of their own. */
const SHORTEST_SPAN = 32;

/** Records `Ops.attention`. */
export function attention(recorder: Recorder, a: Arguments<'attention'>): void {
  checkAttention(a);
  const { visible, out } = a;
  if (a.query.heads === 0 || a.query.rows === 0) return;
  const query = asVectors(recorder, a.query);
  const key = asVectors(recorder, a.key);
  const value = asVectors(recorder, a.value);
  const { channels } = query;
  const queries = query.heads * query.rows;
  const keys = (visible.list?.count ?? 0) + visible.range.end - visible.range.start;

  // Cut the keys until queries and spans are as many as the device has threads.
  const wantedSpans = Math.ceil(recorder.parallelThreads / queries);
  const spanKeys = Math.max(SHORTEST_SPAN, Math.ceil(keys / wantedSpans / 8) * 8);
  const spanCount = Math.max(1, Math.ceil(keys / spanKeys));
  const rows = rowsPerThread(query.rows, channels, (4 * queries * spanCount) / recorder.parallelThreads);
  const rowGroups = query.heads * Math.ceil(query.rows / rows);
  const isWhole = spanCount === 1;
  const outputs = {
    out: out.buffer,
    logSumExp: a.logSumExp?.buffer ?? recorder.unusedOutput(0),
  };
  const spanResults = isWhole
    ? recorder.unusedOutput(2)
    : recorder.temporary('f32', queries * spanCount * (channels + 2), 'attention of spans');
  const parameters = { spans: spanCount, spanKeys, ...attentionParameters(a, query, key, value) };
  const work = attentionWork(a);
  const items = rowGroups * spanCount;

  for (const { start, count } of spans(items, recorder.partsFor(work), THREADS)) {
    recorder.dispatch({
      kernel,
      constants: { VECTORS: channels / 4, ROWS: rows, WHOLE: isWhole },
      buffers: {
        query: query.buffer,
        key: key.buffer,
        value: value.buffer,
        list: visible.list?.buffer ?? recorder.unusedIntegers,
        ...(isWhole ? outputs : { out: recorder.unusedOutput(1), logSumExp: recorder.unusedOutput(0) }),
        spanResults,
      },
      parameters: { firstItem: start, endItem: start + count, ...parameters },
      workgroups: linearGrid(Math.ceil(count / THREADS), recorder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  if (isWhole) return;
  const lanes = Math.min(THREADS, 2 ** Math.ceil(Math.log2(a.out.channels)));
  recorder.dispatch({
    kernel: mergeSpans,
    constants: { LANES: lanes },
    buffers: { spanResults, ...outputs },
    parameters: { items: queries, channels, ...parameters },
    workgroups: linearGrid(Math.ceil((queries * lanes) / THREADS), recorder.maxWorkgroupsPerDimension),
    work: { flops: 4 * queries * spanCount * channels, bytes: 4 * queries * spanCount * channels },
  });
}

/**
 * As many rows as a thread's registers have room for: results take `channels` of them a row. Rows of one thread are computed
 * at the same time, so that up to four of them stand in for threads; `most` says how many leave the device busy.
 */
function rowsPerThread(queryRows: number, channels: number, most: number): number {
  const room = channels <= 32 ? 4 : channels <= 64 ? 2 : 1;
  const useful = 2 ** Math.max(0, Math.floor(Math.log2(most)));
  return Math.min(room, useful, 2 ** Math.ceil(Math.log2(queryRows)));
}

function attentionParameters(a: Arguments<'attention'>, query: Rows, key: Rows, value: Rows) {
  const { list, range } = a.visible;
  return {
    queryRows: query.rows,
    headsPerGroup: query.heads / key.heads,
    scale: a.scale,
    queryOffset: query.offset / 4,
    queryHeadStride: query.headStride / 4,
    queryRowStride: query.rowStride / 4,
    keyOffset: key.offset / 4,
    keyHeadStride: key.headStride / 4,
    keyRowStride: key.rowStride / 4,
    valueOffset: value.offset / 4,
    valueHeadStride: value.headStride / 4,
    valueRowStride: value.rowStride / 4,
    listOffset: list?.offset ?? 0,
    listCount: list?.count ?? 0,
    listRowStride: list?.rowStride ?? 0,
    headsPerSet: query.heads / (list?.sets ?? 1),
    rangeStart: range.start,
    rangeLength: range.end - range.start,
    outOffset: a.out.offset,
    outHeadStride: a.out.headStride,
    outRowStride: a.out.rowStride,
    outChannels: a.out.channels,
    logSumExpOffset: a.logSumExp?.offset ?? 0,
    logSumExpHeadStride: a.logSumExp?.headStride ?? 0,
    causal: Number(range.causal),
    hasLogSumExp: Number(a.logSumExp !== undefined),
  };
}

/** Two products of 2·d operations per visible key, and its exponential. */
function attentionWork({ query, visible }: Arguments<'attention'>): Work {
  const range = visible.range.end - visible.range.start;
  const hidden = visible.range.causal ? Math.min(range, query.rows) / 2 : 0;
  const keys = (visible.list?.count ?? 0) + range - hidden;
  const pairs = query.heads * query.rows * keys;
  return {
    flops: pairs * (4 * query.channels + 8),
    bytes: 8 * keys * query.channels * query.heads + 8 * query.heads * query.rows * query.channels,
  };
}
