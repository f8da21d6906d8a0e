/** Which share of each pixel's cells a method keeps: the engine's side of the pyramid. */
import type { BlockSelection } from '../measure/select-all';
import { setOfHead } from '../measure/selection-reader';
import { TILE_PIXELS, type TilePlace, tileTokens, tokensPerPixel } from './tile-grid';

/** What the coverage needs to know of a block's selection. */
export type BlockCoverage = Pick<BlockSelection, 'block'> & {
  readonly kept: Pick<BlockSelection['kept'], 'sets' | 'rangeStart'>;
};

/**
 * Share of each pixel's causal cells that are kept, [TILE_PIXELS, TILE_PIXELS]; pixels without causal cells hold 0. `selection`:
 * the layer's blocks, ascending.
 */
export function coverageOfTile(
  place: TilePlace,
  tokens: number,
  selection: readonly BlockCoverage[],
  head: number,
  queryHeads: number,
): Float32Array {
  const span = tileTokens(place.level);
  const rowStart = place.row * span;
  const rowEnd = Math.min(tokens, rowStart + span);
  const keyStart = place.column * span;
  const keyEnd = Math.min(tokens, keyStart + span);
  const scale = tokensPerPixel(place.level);
  const kept = new Float64Array(TILE_PIXELS * TILE_PIXELS);
  const seen = new Float64Array(TILE_PIXELS * TILE_PIXELS);
  // listed[t − keyStart]: listed keys of the block below t, so that a pixel's count is one subtraction.
  const listed = new Uint32Array(Math.max(0, keyEnd - keyStart) + 1);
  let at = firstBlock(selection, rowStart);
  for (; at < selection.length && selection[at]!.block.start < rowEnd; at++) {
    const { block, kept: keys } = selection[at]!;
    const set = keys.sets[setOfHead(keys.sets, head, queryHeads)]!;
    countListed(set, keyStart, listed);
    const first = Math.max(rowStart, block.start);
    const end = Math.min(rowEnd, block.end);
    // Rows of one pixel and one block together.
    for (let row = first; row < end; ) {
      const y = Math.floor((row - rowStart) / scale);
      const rows = Math.min(end, rowStart + (y + 1) * scale) - row;
      addRows(row, rows, y * TILE_PIXELS, keys.rangeStart);
      row += rows;
    }
  }
  const share = new Float32Array(kept.length);
  for (let i = 0; i < share.length; i++) if (seen[i]! > 0) share[i] = kept[i]! / seen[i]!;
  return share;

  /** Adds rows [row, row + rows) to the pixels of one line. */
  function addRows(row: number, rows: number, line: number, rangeStart: number): void {
    const last = Math.min(keyEnd, row + rows);
    for (let x = 0; keyStart + x * scale < last; x++) {
      const from = keyStart + x * scale;
      const end = Math.min(keyEnd, from + scale);
      if (end <= row + 1) {
        // Every row sees all of the pixel's keys.
        seen[line + x]! += rows * (end - from);
        kept[line + x]! += rows * keptBetween(from, end, rangeStart);
        continue;
      }
      for (let query = Math.max(row, from); query < row + rows; query++) {
        const to = Math.min(end, query + 1);
        seen[line + x]! += to - from;
        kept[line + x]! += keptBetween(from, to, rangeStart);
      }
    }
  }

  function keptBetween(from: number, to: number, rangeStart: number): number {
    return listed[to - keyStart]! - listed[from - keyStart]! + Math.max(0, to - Math.max(from, rangeStart));
  }
}

/** Index of the first block that ends behind a row. */
function firstBlock(selection: readonly BlockCoverage[], row: number): number {
  let low = 0;
  let high = selection.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (selection[middle]!.block.end <= row) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Keys outside of the tile's columns are in no pixel of it. */
function countListed(keys: Uint32Array, keyStart: number, listed: Uint32Array): void {
  listed.fill(0);
  for (const key of keys) {
    if (key >= keyStart && key - keyStart + 1 < listed.length) listed[key - keyStart + 1] = 1;
  }
  for (let i = 1; i < listed.length; i++) listed[i]! += listed[i - 1]!;
}
