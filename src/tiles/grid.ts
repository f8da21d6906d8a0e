/**
 * The map as a pyramid of tiles: square pictures of TILE_PIXELS pixels a side, counted from the matrix's corner. At level n a pixel
 * covers 2^n × 2^n cells. Level 0 is the finest: closer views draw its pixels larger.
 */

/** A rectangle of the map: query rows [rowStart, rowEnd), key columns [columnStart, columnEnd). */
export interface MapRegion {
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly columnStart: number;
  readonly columnEnd: number;
}

export const TILE_PIXELS = 128;

/** One tile of one head's pyramid: `row` down (queries), `column` across (keys), both counted in tiles. */
export interface TilePlace {
  readonly level: number;
  readonly row: number;
  readonly column: number;
}

/** A tile of one head. */
export interface TileAddress extends TilePlace {
  readonly layer: number;
  readonly head: number;
}

export function tokensPerPixel(level: number): number {
  return 2 ** level;
}

/** Tokens along a tile's side. */
export function tileTokens(level: number): number {
  return TILE_PIXELS * tokensPerPixel(level);
}

/**
 * The level whose pixels are nearest in size to the screen's, of `tokens` tokens over `pixels` pixels: from 0.7 to 1.4 times as large.
 * One that is never coarser would have up to four times the pixels.
 */
export function levelFor(tokens: number, pixels: number): number {
  return Math.max(0, Math.round(Math.log2(tokens / Math.max(1, pixels))));
}

/** The lowest level at which one tile shows the whole text: that of the thumbnails. */
export function topLevel(tokens: number): number {
  return Math.max(0, Math.ceil(Math.log2(Math.max(1, tokens) / TILE_PIXELS)));
}

/** Pixel rows of a tile that have queries; the last one may have fewer than the others. */
export function linesOf({ level, row }: TilePlace, tokens: number): number {
  const rest = tokens - row * tileTokens(level);
  return Math.max(0, Math.min(TILE_PIXELS, Math.ceil(rest / tokensPerPixel(level))));
}

/** Tiles that a region touches and that have causal cells, row by row. */
export function tilesIn(region: MapRegion, level: number, tokens: number): TilePlace[] {
  const span = tileTokens(level);
  const places: TilePlace[] = [];
  const rowEnd = Math.min(tokens, region.rowEnd);
  const columnEnd = Math.min(tokens, region.columnEnd);
  for (let row = Math.floor(Math.max(0, region.rowStart) / span); row * span < rowEnd; row++) {
    // Beyond the row's last query no key is seen.
    const end = Math.min(columnEnd, (row + 1) * span);
    for (let column = Math.floor(Math.max(0, region.columnStart) / span); column * span < end; column++) {
      places.push({ level, row, column });
    }
  }
  return places;
}

/** The tile of a higher level that shows a tile, too. */
export function ancestorOf({ level, row, column }: TilePlace, higher: number): TilePlace {
  const by = 2 ** (higher - level);
  return { level: higher, row: Math.floor(row / by), column: Math.floor(column / by) };
}

/** Causal cells in the pixel rows [lineStart, lineEnd) of a tile: what its exact picture evaluates. */
export function causalCells(
  { level, row, column }: TilePlace,
  tokens: number,
  lineStart = 0,
  lineEnd = TILE_PIXELS,
): number {
  const span = tileTokens(level);
  const keyStart = column * span;
  const keys = Math.min(tokens - keyStart, span);
  if (keys <= 0) return 0;
  // Cells of the tile's columns in all query rows before `row`.
  const before = (query: number): number => {
    const rows = query - keyStart;
    if (rows <= 0) return 0;
    return rows <= keys ? (rows * (rows + 1)) / 2 : (keys * (keys + 1)) / 2 + (rows - keys) * keys;
  };
  const queryOf = (line: number): number => Math.min(tokens, row * span + line * tokensPerPixel(level));
  return before(queryOf(lineEnd)) - before(queryOf(lineStart));
}

/** Distance of a tile's middle from a point of the matrix, in pixels of its level. */
export function distanceOf(
  { level, row, column }: TilePlace,
  focus: { readonly query: number; readonly key: number },
): number {
  const scale = tokensPerPixel(level);
  const middle = TILE_PIXELS / 2;
  return Math.hypot(
    row * TILE_PIXELS + middle - focus.query / scale,
    column * TILE_PIXELS + middle - focus.key / scale,
  );
}
