/** Weights as pixels: packed RGBA. */
import type { Pooling } from '../../src/page/choices';
import { TILE_PIXELS, type TilePlace } from '../../src/tiles/grid';
import type { MapPicture } from '../../src/tiles/picture';
import type { AttentionTile } from '../../src/tiles/plan';
import type { Found } from '../../src/tiles/pyramid';
import { type ColourTables, IGNORED_BITS } from './colour-tables';

/**
 * Full: the weights alone. Selective: only what is kept. Both: kept and missed in their hues, the rest faint. Kept: which cells are
 * kept, whatever their weights.
 */
export type Layer = 'full' | 'selective' | 'both' | 'kept';

/** A pixel counts as kept from this share of its cells. */
const KEPT_SHARE = 0.5;

/**
 * Renders a tile's pixels, [TILE_PIXELS, TILE_PIXELS], from the best available: pictures of higher levels are enlarged.
 * Nothing is above the diagonal. Without shares everything is shown as full attention. A pixel of many cells is kept where half of
 * them are, otherwise missed where one of them would be missed if it is dropped; at one cell a pixel both are that cell's own.
 */
export function renderTile(
  pixels: Uint32Array,
  place: TilePlace,
  attention: Found<AttentionTile>,
  kept: Found<Float32Array> | null,
  layer: Layer,
  pooling: Pooling,
  colours: ColourTables,
): void {
  const bits = bitsOf(attention.value[pooling]);
  const { excess } = attention.value;
  const shares = layer === 'full' ? null : (kept?.value ?? null);
  const by = attention.place.level - place.level;
  const keptBy = kept ? kept.place.level - place.level : 0;
  const top = place.row * TILE_PIXELS;
  const left = place.column * TILE_PIXELS;
  const { heat, kept: strong, ground } = colours;
  const plainKept = plainKeptOf(colours);
  for (let y = 0; y < TILE_PIXELS; y++) {
    const start = y * TILE_PIXELS;
    const end = Math.max(0, Math.min(TILE_PIXELS, top + y + 1 - left));
    const line = lineOf(attention.place, (top + y) >> by);
    if (shares === null && layer === 'kept') pixels.fill(ground, start, end);
    else if (shares === null) {
      if (by === 0) {
        for (let x = 0; x < end; x++) pixels[start + x] = heat[bits[start + x]! >>> IGNORED_BITS]!;
      } else {
        for (let x = 0; x < end; x++) {
          pixels[start + x] = heat[bits[line + ((left + x) >> by)]! >>> IGNORED_BITS]!;
        }
      }
    } else {
      const keptLine = lineOf(kept!.place, (top + y) >> keptBy);
      for (let x = 0; x < end; x++) {
        const at = line + ((left + x) >> by);
        const weight = bits[at]!;
        const isKept = shares[keptLine + ((left + x) >> keptBy)]! >= KEPT_SHARE;
        if (isKept) pixels[start + x] = layer === 'kept' ? plainKept : strong[weight >>> IGNORED_BITS]!;
        else if (layer !== 'both') pixels[start + x] = ground;
        else
          pixels[start + x] = (excess[at]! >= 1 ? colours.missed : colours.faint)[weight >>> IGNORED_BITS]!;
      }
    }
    pixels.fill(ground, start + end, start + TILE_PIXELS);
  }
}

/** The colour of a kept cell whose weight is not shown: that of a weight of 0.01. */
function plainKeptOf({ kept }: ColourTables): number {
  return kept[bitsOf(Float32Array.of(0.01))[0]! >>> IGNORED_BITS]!;
}

/** Where line `y` of the whole level, column 0, would be in a tile's array. */
function lineOf({ row, column }: TilePlace, y: number): number {
  return (y - row * TILE_PIXELS) * TILE_PIXELS - column * TILE_PIXELS;
}

function bitsOf(weights: Float32Array): Uint32Array {
  return new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
}

/** A recorded picture's pixels, [height, width], by its largest weights. */
export function renderPicture(picture: MapPicture, layer: Layer, colours: ColourTables): Uint32Array {
  const { width, height, maximum, excess, kept } = picture;
  const pixels = new Uint32Array(width * height);
  const bits = bitsOf(maximum);
  const plainKept = plainKeptOf(colours);
  for (let at = 0; at < pixels.length; at++) {
    const leading = bits[at]! >>> IGNORED_BITS;
    if (layer === 'full' || kept === null)
      pixels[at] = layer === 'kept' ? colours.ground : colours.heat[leading]!;
    else if (layer === 'kept') pixels[at] = kept[at]! >= KEPT_SHARE ? plainKept : colours.ground;
    else if (kept[at]! >= KEPT_SHARE) pixels[at] = colours.kept[leading]!;
    else if (layer !== 'both') pixels[at] = colours.ground;
    else pixels[at] = (excess[at]! >= 1 ? colours.missed : colours.faint)[leading]!;
  }
  return pixels;
}

/** A canvas with these pixels; null where canvases do not draw (tests). */
export function canvasOf(width: number, height: number, pixels?: Uint32Array): HTMLCanvasElement | null {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d');
  if (!context) return null;
  if (pixels) context.putImageData(imageOf(width, height, pixels), 0, 0);
  return canvas;
}

export function imageOf(width: number, height: number, pixels: Uint32Array): ImageData {
  return new ImageData(new Uint8ClampedArray(pixels.buffer as ArrayBuffer), width, height);
}
