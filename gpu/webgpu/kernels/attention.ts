import type { Rows } from '../../rows';
import { type Arguments, checkAttention } from '../../validate';
import { linearGrid, spans } from '../grid';
import { defineKernel } from '../kernel';
import type { Work } from '../pacer';
import type { Recorder } from '../recorder';
import { asVectors } from '../vectors';
import tiledCode from './attention.wgsl?raw';
import fewRowsCode from './attention-few-rows.wgsl?raw';
import mergeCode from './attention-merge-spans.wgsl?raw';

const tiled = defineKernel('attention', tiledCode, {
  query: 'read',
  key: 'read',
  value: 'read',
  list: 'read',
  out: 'write',
  logSumExp: 'write',
});
const fewRows = defineKernel('attention-few-rows', fewRowsCode, {
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

/** Up to this many query rows, each query gets workgroups of its own. */
const FEW_ROWS = 4;
const TILE = 32;
const KEYS_PER_SPAN = 256;

/** Records `Ops.attention`. */
export function attention(recorder: Recorder, a: Arguments<'attention'>): void {
  checkAttention(a);
  if (a.query.heads === 0 || a.query.rows === 0) return;
  const views = {
    query: asVectors(recorder, a.query),
    key: asVectors(recorder, a.key),
    value: asVectors(recorder, a.value),
  };
  if (a.query.rows <= FEW_ROWS) recordFewRows(recorder, a, views);
  else recordTiled(recorder, a, views);
}

type Views = Readonly<Record<'query' | 'key' | 'value', Rows>>;

function recordTiled(recorder: Recorder, a: Arguments<'attention'>, views: Views): void {
  const { query, logSumExp } = a;
  const items = query.heads * Math.ceil(query.rows / TILE);
  const work = attentionWork(a);
  for (const { start, count } of spans(items, recorder.partsFor(work), 1)) {
    recorder.dispatch({
      kernel: tiled,
      constants: { CHUNKS: Math.ceil(views.query.channels / TILE) },
      buffers: {
        ...viewBuffers(recorder, a, views),
        out: a.out.buffer,
        logSumExp: logSumExp?.buffer ?? recorder.unusedOutput(0),
      },
      parameters: {
        firstItem: start,
        endItem: start + count,
        vectors: views.query.channels / 4,
        ...attentionParameters(a, views),
      },
      workgroups: linearGrid(count, recorder.maxWorkgroupsPerDimension),
      work: { flops: (work.flops * count) / items, bytes: (work.bytes * count) / items },
    });
  }
}

function recordFewRows(recorder: Recorder, a: Arguments<'attention'>, views: Views): void {
  const { query, visible, out, logSumExp } = a;
  const { channels } = views.query;
  const total = (visible.list?.count ?? 0) + visible.range.end - visible.range.start;
  const spanCount = Math.max(1, Math.ceil(total / KEYS_PER_SPAN));
  const queries = query.heads * query.rows;
  const items = queries * spanCount;
  const isWhole = spanCount === 1;
  const spanResults = isWhole
    ? recorder.unusedOutput(1)
    : recorder.temporary('f32', items * (channels + 2), 'attention of spans');
  const logSumExpBuffer = logSumExp?.buffer ?? recorder.unusedOutput(0);
  const parameters = attentionParameters(a, views);
  recorder.dispatch({
    kernel: fewRows,
    constants: { VECTORS: channels / 4, WHOLE: isWhole },
    buffers: {
      ...viewBuffers(recorder, a, views),
      out: isWhole ? out.buffer : recorder.unusedOutput(1),
      logSumExp: isWhole ? logSumExpBuffer : recorder.unusedOutput(0),
      spanResults: isWhole ? recorder.unusedOutput(2) : spanResults,
    },
    parameters: { items, spans: spanCount, ...parameters },
    workgroups: linearGrid(items, recorder.maxWorkgroupsPerDimension),
    work: attentionWork(a),
  });
  if (isWhole) return;
  recorder.dispatch({
    kernel: mergeSpans,
    constants: {},
    buffers: { spanResults, out: out.buffer, logSumExp: logSumExpBuffer },
    parameters: { items: queries, spans: spanCount, channels, ...parameters },
    workgroups: linearGrid(queries, recorder.maxWorkgroupsPerDimension),
    work: { flops: 4 * items * channels, bytes: 4 * items * channels },
  });
}

function viewBuffers(recorder: Recorder, a: Arguments<'attention'>, { query, key, value }: Views) {
  return {
    query: query.buffer,
    key: key.buffer,
    value: value.buffer,
    list: a.visible.list?.buffer ?? recorder.unusedIntegers,
  };
}

function attentionParameters(a: Arguments<'attention'>, { query, key, value }: Views) {
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
