/** Tiles of attention maps, pooled to pixels. */
import { floatsOf } from '../../cpu/buffer';
import { PANEL_ROWS } from '../../cpu/panel';
import {
  type HeadProbabilities,
  type ProbabilitiesOfHead,
  probabilitiesOfHead,
} from '../../cpu/probabilities';
import { sliceHeads, sliceRows } from '../../rows';
import { type AttentionTilesArguments, checkAttentionTiles, type TileOrigin } from './op';

export function attentionTiles(
  a: AttentionTilesArguments,
  ofHead: ProbabilitiesOfHead = probabilitiesOfHead,
): void {
  checkAttentionTiles(a);
  const pixels = a.width * a.height;
  const out = floatsOf(a.out);
  out.fill(0, a.outOffset, a.outOffset + a.tiles.length * 3 * pixels);
  a.tiles.forEach((tile, i) => {
    const plane = (index: number): Float32Array => {
      const start = a.outOffset + (3 * i + index) * pixels;
      return out.subarray(start, start + pixels);
    };
    poolTile(a, tile, ofHead, { maximum: plane(0), mean: plane(1), excess: plane(2) });
  });
}

/** A tile's pixels, or those of one of their lines. */
interface Planes {
  readonly maximum: Float32Array;
  readonly mean: Float32Array;
  readonly excess: Float32Array;
}

/** Adds a tile to pixels of zeros. */
function poolTile(
  a: AttentionTilesArguments,
  tile: TileOrigin,
  ofHead: ProbabilitiesOfHead,
  planes: Planes,
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
    softCap: a.softCap,
    logSumExp: { buffer, offset: offset + tile.head * headStride + tile.row, headStride },
    causalOffset: a.causalOffset + tile.row - tile.key,
    window: a.window,
  };
  if (rows + inputs.causalOffset <= 0) return;
  const probabilities = ofHead(inputs, 0);
  const factors = floatsOf(a.factors.buffer);
  const firstFactor = a.factors.offset + tile.head * a.factors.headStride + tile.row;
  const first = { keys: Math.max(0, a.firstKeys - tile.key), factor: a.firstFactor };
  const sum = new Float64Array(width);
  const cells = new Float64Array(width);
  for (let y = 0; y * tokensPerPixel < rows; y++) {
    const maximum = planes.maximum.subarray(y * width, (y + 1) * width);
    const excess = planes.excess.subarray(y * width, (y + 1) * width);
    const end = Math.min(rows, (y + 1) * tokensPerPixel);
    sum.fill(0);
    cells.fill(0);
    for (let row = y * tokensPerPixel; row < end; row += PANEL_ROWS * rowStep) {
      const loaded = Math.min(PANEL_ROWS, Math.ceil((end - row) / rowStep));
      probabilities.load(row, loaded, rowStep);
      for (let r = 0; r < loaded; r++) {
        const factor = factors[firstFactor + row + r * rowStep]!;
        poolRow(probabilities, r, tokensPerPixel, { maximum, sum, cells, excess, factor, first });
      }
    }
    for (let x = 0; x < width; x++) if (cells[x]! > 0) planes.mean[y * width + x] = sum[x]! / cells[x]!;
  }
}

/** The current line of pixels, the factor of the row that is added to it, and that of the tile's first keys. */
interface Line {
  readonly maximum: Float32Array;
  readonly sum: Float64Array;
  readonly cells: Float64Array;
  readonly excess: Float32Array;
  readonly factor: number;
  readonly first: { readonly keys: number; readonly factor: number };
}

/** Adds one row of probabilities to the pixels it crosses; those of which it sees no key are not touched. */
function poolRow(
  { values, stride, limits, firsts }: HeadProbabilities,
  r: number,
  keysPerPixel: number,
  { maximum, sum, cells, excess, factor, first }: Line,
): void {
  const limit = limits[r]!;
  const start = r * stride;
  for (let x = Math.floor(firsts[r]! / keysPerPixel); x * keysPerPixel < limit; x++) {
    const begin = Math.max(firsts[r]!, x * keysPerPixel);
    const end = Math.min(limit, (x + 1) * keysPerPixel);
    const split = Math.min(end, Math.max(begin, first.keys));
    let total = 0;
    let largestOfFirst = 0;
    for (let at = start + begin; at < start + split; at++) {
      const probability = values[at]!;
      total += probability;
      if (probability > largestOfFirst) largestOfFirst = probability;
    }
    let largest = 0;
    for (let at = start + split; at < start + end; at++) {
      const probability = values[at]!;
      total += probability;
      if (probability > largest) largest = probability;
    }
    maximum[x] = Math.max(maximum[x]!, largest, largestOfFirst);
    excess[x] = Math.max(excess[x]!, largest * factor, largestOfFirst * first.factor);
    sum[x]! += total;
    cells[x]! += end - begin;
  }
}
