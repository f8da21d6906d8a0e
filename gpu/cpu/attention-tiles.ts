/** Tiles of attention maps, pooled to pixels. */
import type { TileOrigin } from '../ops';
import { sliceHeads, sliceRows } from '../rows';
import { type Arguments, checkAttentionTiles } from '../validate';
import { floatsOf } from './buffer';
import { PANEL_ROWS } from './panel';
import { type HeadWeights, type WeighHead, weighHead } from './weights';

export function attentionTiles(a: Arguments<'attentionTiles'>, weigh: WeighHead = weighHead): void {
  checkAttentionTiles(a);
  const pixels = a.width * a.height;
  const out = floatsOf(a.out);
  out.fill(0, a.outOffset, a.outOffset + a.tiles.length * 2 * pixels);
  a.tiles.forEach((tile, i) => {
    const at = a.outOffset + i * 2 * pixels;
    poolTile(a, tile, weigh, out.subarray(at, at + pixels), out.subarray(at + pixels, at + 2 * pixels));
  });
}

/** Adds a tile to pixels of zeros. */
function poolTile(
  a: Arguments<'attentionTiles'>,
  tile: TileOrigin,
  weigh: WeighHead,
  maximumOut: Float32Array,
  meanOut: Float32Array,
): void {
  const { query, key, width, height, tokensPerPixel, rowStep } = a;
  const rows = Math.min(query.rows - tile.row, height * tokensPerPixel);
  const keys = Math.min(key.rows - tile.key, width * tokensPerPixel);
  if (rows <= 0 || keys <= 0) return;
  const keyHead = Math.floor((tile.head * key.heads) / query.heads);
  const { buffer, offset, headStride } = a.logSumExp;
  const inputs = {
    query: sliceRows(sliceHeads(query, tile.head, 1), tile.row, rows),
    key: sliceRows(sliceHeads(key, keyHead, 1), tile.key, keys),
    scale: a.scale,
    logSumExp: { buffer, offset: offset + tile.head * headStride + tile.row, headStride },
    causalOffset: a.causalOffset + tile.row - tile.key,
  };
  if (rows + inputs.causalOffset <= 0) return;
  const weights = weigh(inputs, 0);
  const sum = new Float64Array(width);
  const cells = new Float64Array(width);
  for (let y = 0; y * tokensPerPixel < rows; y++) {
    const maximum = maximumOut.subarray(y * width, (y + 1) * width);
    const end = Math.min(rows, (y + 1) * tokensPerPixel);
    sum.fill(0);
    cells.fill(0);
    for (let row = y * tokensPerPixel; row < end; row += PANEL_ROWS * rowStep) {
      const loaded = Math.min(PANEL_ROWS, Math.ceil((end - row) / rowStep));
      weights.load(row, loaded, rowStep);
      for (let r = 0; r < loaded; r++) {
        poolRow(weights, r, tokensPerPixel, maximum, sum, cells);
      }
    }
    for (let x = 0; x < width; x++) if (cells[x]! > 0) meanOut[y * width + x] = sum[x]! / cells[x]!;
  }
}

/** Adds one row of weights to the pixels it crosses; those beyond the causal limit are not touched. */
function poolRow(
  { values, stride, limits }: HeadWeights,
  r: number,
  keysPerPixel: number,
  maximum: Float32Array,
  sum: Float64Array,
  cells: Float64Array,
): void {
  const limit = limits[r]!;
  for (let x = 0; x * keysPerPixel < limit; x++) {
    const first = x * keysPerPixel;
    const end = Math.min(limit, first + keysPerPixel);
    let largest = maximum[x]!;
    let total = 0;
    for (let at = r * stride + first; at < r * stride + end; at++) {
      const weight = values[at]!;
      total += weight;
      if (weight > largest) largest = weight;
    }
    maximum[x] = largest;
    sum[x]! += total;
    cells[x]! += end - first;
  }
}
