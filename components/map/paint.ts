/** A tile as pixels: [height, width] packed RGBA. */
import { missedWeight } from '../../src/session/missed';
import type { MapTile } from '../../src/study/types';
import { type Ramps, rampStep } from './ramps';

export type Layer = 'full' | 'selective' | 'both';

/**
 * Full: the weights alone. Selective: only what is kept. Both: kept and missed in their hues, the rest faint. A pixel that
 * covers many cells is shown by its largest weight.
 */
export function paintTile(tile: MapTile, layer: Layer, ramps: Ramps): Uint32Array {
  const { width, height, maximum, kept, rowStart, rowEnd } = tile;
  const pixels = new Uint32Array(width * height).fill(ramps.ground);
  for (let y = 0; y < height; y++) {
    const query = rowStart + ((y + 0.5) * (rowEnd - rowStart)) / height;
    const limit = missedWeight(query);
    for (let x = 0; x < width; x++) {
      const at = y * width + x;
      const weight = maximum[at]!;
      if (!(weight > 0)) continue;
      const step = rampStep(weight);
      if (layer === 'full' || kept === null) pixels[at] = ramps.heat[step]!;
      else if (kept[at]! >= 0.5) pixels[at] = ramps.kept[step]!;
      else if (layer === 'both') pixels[at] = (weight >= limit ? ramps.missed : ramps.faint)[step]!;
    }
  }
  return pixels;
}

/** A canvas of the tile's own size with its pixels; null where canvases do not draw (tests). */
export function tileCanvas(tile: MapTile, pixels: Uint32Array): HTMLCanvasElement | null {
  const canvas = document.createElement('canvas');
  canvas.width = tile.width;
  canvas.height = tile.height;
  const context = canvas.getContext('2d');
  if (!context) return null;
  const image = context.createImageData(tile.width, tile.height);
  new Uint32Array(image.data.buffer).set(pixels);
  context.putImageData(image, 0, 0);
  return canvas;
}
