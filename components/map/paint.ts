/** Weights as pixels: packed RGBA. */
import { missedWeight } from '../../src/session/missed';
import { TILE_PIXELS, type TilePlace, tokensPerPixel } from '../../src/study/tile-grid';
import type { AttentionTile } from '../../src/study/tile-plan';
import type { Found } from '../../src/study/tile-pyramid';
import type { MapTile } from '../../src/study/types';
import { ignoredBits, type Ramps, stepByBits } from './ramps';

/**
 * Full: the weights alone. Selective: only what is kept. Both: kept and missed in their hues, the rest faint.
 */
export type Layer = 'full' | 'selective' | 'both';

/** What a pixel that covers many cells is shown by: its largest weight, or their mean. */
export type Pooling = 'maximum' | 'mean';

/**
 * A tile's pixels, [TILE_PIXELS, TILE_PIXELS], from the best there is: pictures of higher levels are drawn larger. Nothing is
 * above the diagonal. Without shares everything is shown as full attention.
 */
export function paintTile(
  place: TilePlace,
  attention: Found<AttentionTile>,
  kept: Found<Float32Array> | null,
  layer: Layer,
  pooling: Pooling,
  ramps: Ramps,
): Uint32Array {
  const pixels = new Uint32Array(TILE_PIXELS * TILE_PIXELS).fill(ramps.ground);
  const weights = attention.value[pooling];
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const shares = layer === 'full' ? null : (kept?.value ?? null);
  const by = attention.place.level - place.level;
  const keptBy = kept ? kept.place.level - place.level : 0;
  const top = place.row * TILE_PIXELS;
  const left = place.column * TILE_PIXELS;
  const attentionLeft = attention.place.column * TILE_PIXELS;
  const keptLeft = (kept?.place.column ?? 0) * TILE_PIXELS;
  for (let y = 0; y < TILE_PIXELS; y++) {
    const line = ((top + y) >> by) * TILE_PIXELS - attention.place.row * TILE_PIXELS ** 2 - attentionLeft;
    const keptLine =
      ((top + y) >> keptBy) * TILE_PIXELS - (kept?.place.row ?? 0) * TILE_PIXELS ** 2 - keptLeft;
    const limit = missedWeight((top + y + 0.5) * tokensPerPixel(place.level));
    const end = Math.min(TILE_PIXELS, top + y + 1 - left);
    for (let x = 0; x < end; x++) {
      const at = line + ((left + x) >> by);
      const step = stepByBits[bits[at]! >>> ignoredBits]!;
      if (bits[at] === 0) continue;
      const to = y * TILE_PIXELS + x;
      if (shares === null) pixels[to] = ramps.heat[step]!;
      else if (shares[keptLine + ((left + x) >> keptBy)]! >= 0.5) pixels[to] = ramps.kept[step]!;
      else if (layer === 'both') pixels[to] = (weights[at]! >= limit ? ramps.missed : ramps.faint)[step]!;
    }
  }
  return pixels;
}

/** A recorded picture's pixels, [height, width], by its largest weights. */
export function paintPicture(picture: MapTile, layer: Layer, ramps: Ramps): Uint32Array {
  const { width, height, maximum, kept, rowStart, rowEnd } = picture;
  const pixels = new Uint32Array(width * height).fill(ramps.ground);
  const bits = new Uint32Array(maximum.buffer, maximum.byteOffset, maximum.length);
  for (let y = 0; y < height; y++) {
    const limit = missedWeight(rowStart + ((y + 0.5) * (rowEnd - rowStart)) / height);
    for (let at = y * width; at < (y + 1) * width; at++) {
      if (!(maximum[at]! > 0)) continue;
      const step = stepByBits[bits[at]! >>> ignoredBits]!;
      if (layer === 'full' || kept === null) pixels[at] = ramps.heat[step]!;
      else if (kept[at]! >= 0.5) pixels[at] = ramps.kept[step]!;
      else if (layer === 'both') pixels[at] = (maximum[at]! >= limit ? ramps.missed : ramps.faint)[step]!;
    }
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
