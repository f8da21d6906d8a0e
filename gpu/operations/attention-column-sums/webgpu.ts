import { fill } from '../../webgpu/fill';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import type { Recorder } from '../../webgpu/recorder';
import { prepareWeights, shareOf, weightWork } from '../../webgpu/weights';
import { type TileShape, tileShape } from '../../wgsl/parts/gemm-tile';
import { masked } from '../../wgsl/parts/mask';
import { threadsOf, weightTile } from '../../wgsl/parts/weight-tile';
import { sumHeads } from '../sum-heads/webgpu';
import shader from './attention-column-sums.wgsl';
import tiledShader from './attention-column-sums-tiled.wgsl';
import { type AttentionColumnSumsArguments, checkAttentionColumnSums } from './op';

const kernel = defineKernel('attention-column-sums', masked(shader));
const tiled = defineKernel('attention-column-sums-tiled', weightTile(tiledShader));

const THREADS = 64;
const KEYS_PER_THREAD = 8;
/** Query rows worth a thread of their own. */
const SMALLEST_SHARE = 16;
const TILE = tileShape(8, 8, 2, 2);

/** Records `Ops.attentionColumnSums`: sums per query head and share of the queries, then over those of each group. */
export function attentionColumnSums(recorder: Recorder, a: AttentionColumnSumsArguments, shape = TILE): void {
  checkAttentionColumnSums(a);
  const { query, key, out } = a;
  if (key.heads === 0 || key.rows === 0) return;
  if (query.heads === 0) {
    for (let row = 0; row < out.rows; row++) {
      fill(recorder, out.buffer, out.offset + row * out.rowStride, out.length, 0);
    }
    return;
  }
  const { buffers, parameters, constants } = prepareWeights(recorder, a);
  const isTiled = !recorder.emulatesThreads;
  const { shares, shareRows, keyGroups, threads } = isTiled
    ? tiledShares(recorder, query.heads, query.rows, key.rows, shape)
    : registerShares(recorder, query.heads, query.rows, key.rows);
  const sums = recorder.temporary('f32', query.heads * shares * key.rows, 'column sums of shares');
  const items = keyGroups * shares;
  const work = weightWork(a);
  for (const { start, count } of spans(items, recorder.partsFor(work), threads)) {
    recorder.dispatch({
      kernel: isTiled ? tiled : kernel,
      constants: isTiled ? { ...shape.constants, ...constants } : constants,
      buffers: { ...buffers, out: sums },
      parameters: { firstItem: start, endItem: start + count, shares, shareRows, ...parameters },
      workgroups: linearGrid(Math.ceil(count / threads), recorder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
  const rowOf = { rows: 1, channels: key.rows, rowStride: key.rows };
  sumHeads(recorder, {
    input: { buffer: sums, offset: 0, heads: query.heads * shares, headStride: key.rows, ...rowOf },
    out: { buffer: out.buffer, offset: out.offset, heads: key.heads, headStride: out.rowStride, ...rowOf },
  });
}

/** Shares of the queries, and the items of work in each; `threads` of a workgroup have an item each. */
interface Shares {
  readonly shares: number;
  readonly shareRows: number;
  readonly keyGroups: number;
  readonly threads: number;
}

/** A thread has a few keys: cut the queries until there are enough threads. */
function registerShares(recorder: Recorder, heads: number, rows: number, keys: number): Shares {
  const keyGroups = heads * Math.ceil(keys / KEYS_PER_THREAD);
  const wanted = Math.ceil(recorder.parallelThreads / keyGroups);
  const shareRows = Math.max(SMALLEST_SHARE, Math.ceil(rows / wanted));
  return { shares: Math.max(1, Math.ceil(rows / shareRows)), shareRows, keyGroups, threads: THREADS };
}

/** A workgroup has a tile of keys: cut the queries, tile by tile, until there are enough workgroups. */
function tiledShares(
  recorder: Recorder,
  heads: number,
  rows: number,
  keys: number,
  shape: TileShape,
): Shares {
  const keyGroups = heads * Math.ceil(keys / shape.rightRows);
  const wanted = Math.ceil(recorder.parallelThreads / (threadsOf(shape) * keyGroups));
  const tiles = Math.ceil(rows / shape.leftRows);
  const shareRows = shape.leftRows * Math.max(1, Math.ceil(tiles / wanted));
  return { shares: Math.max(1, Math.ceil(rows / shareRows)), shareRows, keyGroups, threads: 1 };
}
