import type { DeviceBuffer, Rows } from '../../rows';
import type { CommandEncoder } from '../../webgpu/command-encoder';
import { fill } from '../../webgpu/fill';
import { linearGrid, spans } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import type { Work } from '../../webgpu/pacer';
import { shareOf } from '../../webgpu/probabilities';
import { asVectors } from '../../webgpu/vectors';
import { gemmTile, type TileShape, tileOf } from '../../wgsl/parts/gemm-tile';
import shader from './esa-importance.wgsl';
import resultShader from './esa-importance-result.wgsl';
import tiledShader from './esa-importance-tiled.wgsl';
import { checkEsaImportance, type EsaImportanceArguments } from './op';

const registers = defineKernel('esa-importance', shader);
const tiled = defineKernel('esa-importance-tiled', gemmTile(tiledShader));
const result = defineKernel('esa-importance-result', resultShader);

/** Workgroup memory for the maxima of a block's rows. */
const PEAKS_BYTES = 4 * 128;

const THREADS = 64;
const BLOCK = 8;
const NEGATIVE_INFINITY_BITS = 0xff800000;

/** Encodes `Ops.esaImportance`. */
export function esaImportance(encoder: CommandEncoder, a: EsaImportanceArguments): void {
  checkEsaImportance(a);
  const queries = a.query.rows;
  const keys = a.key.rows;
  if (keys === 0) return;
  if (queries === 0) {
    fill(encoder, a.out, a.outOffset, keys, NEGATIVE_INFINITY_BITS);
    return;
  }
  const query = asVectors(encoder, a.query);
  const key = asVectors(encoder, a.key);
  const peaks = encoder.temporary('u32', queries + keys, 'peaks');
  // Not `clear`: it would end the pass.
  fill(encoder, peaks, 0, queries + keys, 0);
  const shape = encoder.isSoftwareAdapter ? undefined : tileOf(encoder, queries, keys, PEAKS_BYTES);
  for (const isColumnPass of [false, true]) {
    if (shape) encodeTiled(encoder, shape, isColumnPass, query, key, peaks);
    else encodeRegisters(encoder, isColumnPass, query, key, peaks);
  }
  encoder.dispatch({
    kernel: result,
    constants: {},
    buffers: { peaks, out: a.out },
    parameters: { queries, keys, outOffset: a.outOffset },
    workgroups: linearGrid(Math.ceil(keys / THREADS), encoder.maxWorkgroupsPerDimension),
    work: { flops: 0, bytes: 8 * keys },
  });
}

/** A pass over all blocks of scores, the keys cut so that no dispatch is long. */
function encodeTiled(
  encoder: CommandEncoder,
  { constants, leftRows, rightRows }: TileShape,
  isColumnPass: boolean,
  query: Rows,
  key: Rows,
  peaks: DeviceBuffer,
): void {
  const work = scoreWork(query, key);
  for (const { start, count } of spans(key.rows, encoder.partsFor(work), rightRows)) {
    encoder.dispatch({
      kernel: tiled,
      constants,
      buffers: { query: query.buffer, key: key.buffer, peaks },
      parameters: { firstQuery: 0, firstKey: start, ...scoreParameters(isColumnPass, query, key) },
      workgroups: [Math.ceil(count / rightRows), Math.ceil(query.rows / leftRows), 1],
      work: shareOf(work, count / key.rows),
    });
  }
}

function encodeRegisters(
  encoder: CommandEncoder,
  isColumnPass: boolean,
  query: Rows,
  key: Rows,
  peaks: DeviceBuffer,
): void {
  const work = scoreWork(query, key);
  const [still, moving] = isColumnPass ? [key.rows, query.rows] : [query.rows, key.rows];
  const stillBlocks = Math.ceil(still / BLOCK);
  // Cut what a thread goes through until there are enough threads.
  const wantedSpans = Math.ceil(encoder.parallelThreads / stillBlocks);
  const span = Math.ceil(moving / wantedSpans / BLOCK) * BLOCK;
  const items = stillBlocks * Math.ceil(moving / span);
  for (const { start, count } of spans(items, encoder.partsFor(work), THREADS)) {
    encoder.dispatch({
      kernel: registers,
      constants: {},
      buffers: { query: query.buffer, key: key.buffer, peaks },
      parameters: [
        { firstItem: start, endItem: start + count, span },
        scoreParameters(isColumnPass, query, key),
      ],
      workgroups: linearGrid(Math.ceil(count / THREADS), encoder.maxWorkgroupsPerDimension),
      work: shareOf(work, count / items),
    });
  }
}

function scoreParameters(isColumnPass: boolean, query: Rows, key: Rows) {
  return {
    isColumnPass: Number(isColumnPass),
    queries: query.rows,
    keys: key.rows,
    vectors: query.channels / 4,
    queryOffset: query.offset / 4,
    queryStride: query.rowStride / 4,
    keyOffset: key.offset / 4,
    keyStride: key.rowStride / 4,
  };
}

function scoreWork(query: Rows, key: Rows): Work {
  return {
    flops: 2 * query.rows * key.rows * query.channels,
    bytes: 4 * (query.rows + key.rows) * query.channels,
  };
}
