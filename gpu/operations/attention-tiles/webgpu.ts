import type { CommandEncoder } from '../../webgpu/command-encoder';
import { fill } from '../../webgpu/fill';
import { spans } from '../../webgpu/grid';
import { defineKernel } from '../../webgpu/kernel';
import { prepareProbabilities, shareOf } from '../../webgpu/probabilities';
import { masked } from '../../wgsl/parts/mask';
import shader from './attention-tiles.wgsl';
import blocks from './attention-tiles-blocks.wgsl';
import { type AttentionTilesArguments, checkAttentionTiles } from './op';

const pixelKernel = defineKernel('attention-tiles', masked(shader));
const blockKernel = defineKernel('attention-tiles-blocks', masked(blocks));

/** Threads of a workgroup of the kernel by pixels. */
const PIXELS = 64;
/** Query rows and keys of a workgroup of the kernel by blocks, and those of one of its threads. */
const BLOCK = 64;
const THREAD = 8;

/** Encodes `Ops.attentionTiles`: on hardware, a workgroup a block of cells, otherwise a thread a pixel. */
export function attentionTiles(encoder: CommandEncoder, a: AttentionTilesArguments): void {
  checkAttentionTiles(a);
  const { query, key, tiles, width, height, tokensPerPixel, rowStep, factors, out, outOffset } = a;
  const length = tiles.length * 3 * width * height;
  if (length === 0) return;
  if (query.rows === 0 || key.rows === 0) {
    fill(encoder, out, outOffset, length, 0);
    return;
  }
  const { buffers, parameters, constants } = prepareProbabilities(encoder, a);
  const origins = encoder.upload(
    Uint32Array.from(tiles.flatMap((tile) => [tile.head, tile.row, tile.key])),
    'tile origins',
  );
  const rowsPerPixel = tokensPerPixel / rowStep;
  const isByPixel = encoder.isSoftwareAdapter;
  const columns = isByPixel ? PIXELS : Math.max(1, BLOCK / tokensPerPixel);
  const lines = isByPixel ? 1 : Math.max(1, BLOCK / rowsPerPixel);
  const linesOfTile = Math.ceil(height / lines);
  const units = tiles.length * linesOfTile;
  const work = workOf(a);
  const parts = Math.max(encoder.partsFor(work), units / encoder.maxWorkgroupsPerDimension);
  for (const { start, count } of spans(units, parts, 1)) {
    encoder.dispatch({
      kernel: isByPixel ? pixelKernel : blockKernel,
      constants: isByPixel
        ? { ROWS: rowsPerPixel >= 4 ? 8 : 1, ...constants }
        : {
            PIXEL_ROWS: Math.min(THREAD, rowsPerPixel),
            PIXEL_KEYS: Math.min(THREAD, tokensPerPixel),
            ...constants,
          },
      buffers: { ...buffers, tiles: origins, factors: factors.buffer, out },
      parameters: [
        parameters,
        {
          firstUnit: start,
          unitsPerTile: linesOfTile,
          width,
          height,
          tokensPerPixel,
          rowStep,
          factorOffset: factors.offset,
          factorHeadStride: factors.headStride,
          firstKeys: Math.min(key.rows, a.firstKeys),
          firstFactor: a.firstFactor,
          outOffset,
        },
      ],
      workgroups: [Math.ceil(width / columns), count, 1],
      work: shareOf(work, count / units),
    });
  }
  encoder.release(origins);
}

/** 2·d operations per evaluated cell, and its exponential; queries and keys of every tile are read once. */
function workOf(a: AttentionTilesArguments): { flops: number; bytes: number } {
  const { query, key, width, height, tokensPerPixel, rowStep, causalOffset } = a;
  let cells = 0;
  let rowsRead = 0;
  for (const tile of a.tiles) {
    const rows = Math.min(query.rows - tile.row, height * tokensPerPixel);
    const keys = Math.min(key.rows - tile.key, width * tokensPerPixel);
    if (rows <= 0 || keys <= 0) continue;
    const seen = (row: number): number =>
      Math.max(0, Math.min(keys, tile.row + row + causalOffset + 1 - tile.key));
    cells += (rows * (seen(0) + seen(rows - 1))) / 2 / rowStep;
    rowsRead += rows / rowStep + seen(rows - 1);
  }
  return {
    flops: cells * (2 * query.channels + 8),
    bytes: 4 * rowsRead * query.channels + 12 * a.tiles.length * width * height,
  };
}
