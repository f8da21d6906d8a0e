/** Which share of each pixel's cells a method keeps: the engine's side of the pyramid. */
import type { BlockSelection } from '../measure/select-all';
import { setOfHead } from '../measure/selection-reader';
import { TILE_PIXELS, type TilePlace, tileTokens, tokensPerPixel } from './grid';

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
  const cells = new Cells(keyStart, keyEnd, scale);
  for (let at = firstBlock(selection, rowStart); at < selection.length; at++) {
    const { block, kept: keys } = selection[at]!;
    if (block.start >= rowEnd) break;
    cells.keep(keys.sets[setOfHead(keys.sets, head, queryHeads)]!, keys.rangeStart);
    const end = Math.min(rowEnd, block.end);
    // Rows of one pixel and one block together.
    for (let row = Math.max(rowStart, block.start); row < end; ) {
      const y = Math.floor((row - rowStart) / scale);
      const rows = Math.min(end, rowStart + (y + 1) * scale) - row;
      cells.addRows(row, rows, y * TILE_PIXELS);
      row += rows;
    }
  }
  return cells.share();
}

/** Causal cells by pixel of a tile, whose keys are [keyStart, keyEnd), and those of them that are kept. */
class Cells {
  readonly #keyStart: number;
  readonly #keyEnd: number;
  readonly #scale: number;
  readonly #seen = new Float32Array(TILE_PIXELS * TILE_PIXELS);
  readonly #kept = new Float32Array(TILE_PIXELS * TILE_PIXELS);
  /** Of the current block: its keys one by one, and what a row that sees all of a pixel's keys adds to it. */
  readonly #isKept: Uint8Array;
  readonly #seenOfPixel = new Float32Array(TILE_PIXELS);
  readonly #keptOfPixel = new Float32Array(TILE_PIXELS);

  constructor(keyStart: number, keyEnd: number, scale: number) {
    this.#keyStart = keyStart;
    this.#keyEnd = keyEnd;
    this.#scale = scale;
    this.#isKept = new Uint8Array(Math.max(0, keyEnd - keyStart));
    for (let column = 0; column < this.#isKept.length; column++) {
      this.#seenOfPixel[Math.floor(column / scale)]! += 1;
    }
  }

  /** From here on, rows keep the keys that are listed and all from rangeStart on. */
  keep(listed: Uint32Array, rangeStart: number): void {
    const isKept = this.#isKept;
    const start = this.#keyStart;
    isKept.fill(0);
    for (const key of listed) if (key >= start && key < this.#keyEnd) isKept[key - start] = 1;
    isKept.fill(1, Math.min(isKept.length, Math.max(0, rangeStart - start)));
    const keptOfPixel = this.#keptOfPixel.fill(0);
    const scale = this.#scale;
    for (let x = 0, column = 0; column < isKept.length; x++) {
      const end = Math.min(isKept.length, column + scale);
      let count = 0;
      for (; column < end; column++) count += isKept[column]!;
      keptOfPixel[x] = count;
    }
  }

  /** Adds rows [row, row + rows), which are all of one pixel, to the pixels of its line. */
  addRows(row: number, rows: number, line: number): void {
    const seen = this.#seen;
    const kept = this.#kept;
    const start = this.#keyStart;
    const scale = this.#scale;
    const isKept = this.#isKept;
    const all = row + 1 >= this.#keyEnd;
    // Every row sees all keys of these pixels.
    const whole = Math.ceil(all ? isKept.length / scale : Math.max(0, Math.floor((row + 1 - start) / scale)));
    for (let x = 0; x < whole; x++) {
      seen[line + x]! += rows * this.#seenOfPixel[x]!;
      kept[line + x]! += rows * this.#keptOfPixel[x]!;
    }
    const end = Math.min(isKept.length, row + rows - start);
    for (let column = whole * scale; column < end; column++) {
      const x = line + Math.floor(column / scale);
      const seeing = row + rows - Math.max(row, start + column);
      seen[x]! += seeing;
      kept[x]! += seeing * isKept[column]!;
    }
  }

  /** Kept cells in proportion to all; 0 where there are none. */
  share(): Float32Array {
    const share = this.#kept;
    for (let i = 0; i < share.length; i++) if (share[i]! > 0) share[i]! /= this.#seen[i]!;
    return share;
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
