import type { IndexList, ScoreRows } from '../../arguments';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { fill } from '../../webgpu/fill';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { prepareProbabilities, probabilityWork, shareOf } from '../../webgpu/probabilities';
import { visibleConstants, visibleParameters } from '../../webgpu/visible-keys';
import { type TileShape, tileShape } from '../../wgsl/parts/gemm-tile';
import { masked } from '../../wgsl/parts/mask';
import { probabilityTile, threadsOf } from '../../wgsl/parts/probability-tile';
import { scoreConstants, scored } from '../../wgsl/parts/score';
import { sumHeads } from '../sum-heads/webgpu';
import shader from './accumulated-attention.wgsl';
import listedShader from './accumulated-attention-listed.wgsl';
import tiledShader from './accumulated-attention-tiled.wgsl';
import { type AccumulatedAttentionArguments, checkAccumulatedAttention, ofRange } from './op';
import scatterShader from './scatter-add.wgsl';

const kernel = defineKernel('accumulated-attention', masked(shader));
const tiled = defineKernel('accumulated-attention-tiled', probabilityTile(tiledShader));
const listed = defineKernel('accumulated-attention-listed', scored(listedShader));
const scatter = defineKernel('scatter-add', scatterShader);

const THREADS = 64;
const KEYS_PER_THREAD = 8;
/** Query rows worth a thread of their own. */
const SMALLEST_SHARE = 16;
const TILE = tileShape(8, 8, 2, 2);

/**
 * Encodes `Ops.accumulatedAttention`: of the range by tiles, of a list by a plain kernel, a thread an entry, which is not meant
 * for long blocks of queries.
 */
export function accumulatedAttention(
  encoder: CommandEncoder,
  a: AccumulatedAttentionArguments,
  shape = TILE,
): void {
  checkAccumulatedAttention(a);
  const { query, key, visible, out, accumulate = false } = a;
  if (out.rows === 0 || key.rows === 0) return;
  const { list, range } = visible;
  const isWhole = range.start === 0 && range.end === key.rows && query.heads > 0;
  if (!accumulate && !isWhole) clear(encoder, out);
  if (query.heads === 0) return;
  if (range.end > range.start) encodeRange(encoder, a, accumulate || !isWhole, shape);
  if (list && list.count > 0) encodeList(encoder, a, list);
}

function clear(encoder: CommandEncoder, { buffer, offset, rows, length, rowStride }: ScoreRows): void {
  if (rowStride === length) fill(encoder, buffer, offset, rows * length, 0);
  else for (let row = 0; row < rows; row++) fill(encoder, buffer, offset + row * rowStride, length, 0);
}

/** Sums per query head and share of the queries, then over those of each row. */
function encodeRange(
  encoder: CommandEncoder,
  a: AccumulatedAttentionArguments,
  accumulate: boolean,
  shape: TileShape,
): void {
  const { out } = a;
  const inputs = ofRange(a);
  const { query, key } = inputs;
  const { buffers, parameters, constants } = prepareProbabilities(encoder, inputs);
  const isTiled = !encoder.isSoftwareAdapter;
  const { shares, shareRows, keyGroups, threads } = isTiled
    ? tiledShares(encoder, query.heads, query.rows, key.rows, shape)
    : registerShares(encoder, query.heads, query.rows, key.rows);
  const sums = encoder.temporary('f32', query.heads * shares * key.rows, 'accumulated attention of shares');
  const items = keyGroups * shares;
  const work = probabilityWork(inputs);
  for (const { start, count } of spans(items, encoder.partsFor(work), threads)) {
    encoder.dispatch({
      kernel: isTiled ? tiled : kernel,
      constants: isTiled ? { ...shape.constants, ...constants } : constants,
      buffers: { ...buffers, out: sums },
      parameters: { firstItem: start, endItem: start + count, shares, shareRows, ...parameters },
      workgroups: linearGrid(Math.ceil(count / threads), encoder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  const rowOf = { rows: 1, channels: key.rows };
  const offset = out.offset + a.visible.range.start;
  sumHeads(encoder, {
    input: {
      ...{ buffer: sums, offset: 0, heads: query.heads * shares, headStride: key.rows, rowStride: key.rows },
      ...rowOf,
    },
    out: {
      ...{ buffer: out.buffer, offset, heads: out.rows, headStride: out.rowStride, rowStride: out.rowStride },
      ...rowOf,
    },
    accumulate,
  });
}

/** Sums per query head and entry, over the heads of a row where they have one list, and each put to its key. */
function encodeList(encoder: CommandEncoder, a: AccumulatedAttentionArguments, list: IndexList): void {
  const { query, key, out } = a;
  const { heads } = query;
  const { buffers, parameters } = prepareProbabilities(encoder, { ...a, causalOffset: 0 });
  const { causalOffset: _, window: __, ...ofWeights } = parameters;
  const { listOffset, listCount, listRowStride, headsPerSet, countsOffset } = visibleParameters(
    a.visible,
    heads,
  );
  const ofList = { listOffset, listCount, listRowStride, countsOffset };
  const { RAGGED } = visibleConstants(a.visible);
  let sums = encoder.temporary('f32', heads * listCount, 'accumulated attention of listed keys');
  const items = heads * listCount;
  const work = {
    flops: items * query.rows * (2 * key.channels + 8),
    bytes: 4 * items * key.channels,
  };
  for (const { start, count } of spans(items, encoder.partsFor(work), THREADS)) {
    encoder.dispatch({
      kernel: listed,
      constants: { RAGGED, ...scoreConstants(a) },
      buffers: { ...buffers, list: list.buffer, out: sums },
      parameters: [{ firstItem: start, endItem: start + count, headsPerSet }, ofWeights, ofList],
      workgroups: linearGrid(Math.ceil(count / THREADS), encoder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  let rowsOfSums = heads;
  if (list.sets <= out.rows && heads > out.rows) {
    const ofRows = encoder.temporary('f32', out.rows * listCount, 'accumulated attention of rows');
    const rowOf = { offset: 0, rows: 1, channels: listCount, rowStride: listCount, headStride: listCount };
    sumHeads(encoder, {
      input: { buffer: sums, heads, ...rowOf },
      out: { buffer: ofRows, heads: out.rows, ...rowOf },
    });
    sums = ofRows;
    rowsOfSums = out.rows;
  }
  const step = rowsOfSums / out.rows;
  for (let first = 0; first < step; first++) {
    encoder.dispatch({
      kernel: scatter,
      constants: { RAGGED },
      buffers: { sums, list: list.buffer, out: out.buffer },
      parameters: [
        { rows: out.rows, length: out.length, first, step, rowsPerSet: rowsOfSums / list.sets },
        ofList,
        { outOffset: out.offset, outRowStride: out.rowStride },
      ],
      workgroups: linearGrid(Math.ceil((out.rows * listCount) / 64), encoder.maxWorkgroupsPerDimension),
      work: { flops: out.rows * listCount, bytes: 16 * out.rows * listCount },
    });
  }
}

/** Shares of the queries, and the items of work in each; `threads` of a workgroup have an item each. */
interface Shares {
  readonly shares: number;
  readonly shareRows: number;
  readonly keyGroups: number;
  readonly threads: number;
}

/** A thread has a few keys: cut the queries until there are enough threads. */
function registerShares(encoder: CommandEncoder, heads: number, rows: number, keys: number): Shares {
  const keyGroups = heads * Math.ceil(keys / KEYS_PER_THREAD);
  const wanted = Math.ceil(encoder.parallelThreads / keyGroups);
  const shareRows = Math.max(SMALLEST_SHARE, Math.ceil(rows / wanted));
  return { shares: Math.max(1, Math.ceil(rows / shareRows)), shareRows, keyGroups, threads: THREADS };
}

/** A workgroup has a tile of keys: cut the queries, tile by tile, until there are enough workgroups. */
function tiledShares(
  encoder: CommandEncoder,
  heads: number,
  rows: number,
  keys: number,
  shape: TileShape,
): Shares {
  const keyGroups = heads * Math.ceil(keys / shape.rightRows);
  const wanted = Math.ceil(encoder.parallelThreads / (threadsOf(shape) * keyGroups));
  const tiles = Math.ceil(rows / shape.leftRows);
  const shareRows = shape.leftRows * Math.max(1, Math.ceil(tiles / wanted));
  return { shares: Math.max(1, Math.ceil(rows / shareRows)), shareRows, keyGroups, threads: 1 };
}
