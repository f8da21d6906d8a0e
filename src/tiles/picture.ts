/** Pictures of whole heads put together from tiles, for what is recorded. */
import {
  linesOf,
  type MapRegion,
  TILE_PIXELS,
  type TileAddress,
  tilesIn,
  tokensPerPixel,
  topLevel,
} from './grid';
import type { TileSource } from './requests';

export interface MapRequest extends MapRegion {
  readonly layer: number;
  readonly head: number;
  readonly width: number;
  readonly height: number;
}

/** Pixels of a map region by their largest weights, row-major [height, width]. */
export interface MapPicture extends MapRequest {
  readonly maximum: Float32Array;
  /** From 1 on: one of the pixel's cells is missed if it is dropped (PooledLines). */
  readonly excess: Float32Array;
  /** Share of the pixel's causal cells that the method keeps, 0…1; null while the selection is not there. */
  readonly kept: Float32Array | null;
  /** 1: every row evaluated; n: every n-th query row of a pixel. */
  readonly rowStep: number;
}

/** Thumbnails of all layers × heads: dense [layers, heads, size, size] of pooled maximum. */
export interface Thumbnails {
  readonly size: number;
  readonly layers: number;
  readonly heads: number;
  readonly maximum: Float32Array;
  readonly rowStep: number;
}

/** What a picture is taken of. */
export interface Subject {
  readonly source: TileSource;
  readonly text: string;
  readonly method: string;
  readonly tokens: number;
}

const signal = new AbortController().signal;

function whole(address: TileAddress, tokens: number) {
  return { ...address, lineStart: 0, lineEnd: linesOf(address, tokens), rowStep: 1 };
}

/** One head's whole map at the finest level that needs at most `pixels` a side. */
export async function takePicture(
  { source, text, method, tokens }: Subject,
  layer: number,
  head: number,
  pixels: number,
): Promise<MapPicture> {
  const level = Math.max(0, Math.ceil(Math.log2(tokens / pixels)));
  const scale = tokensPerPixel(level);
  const side = Math.ceil(tokens / scale);
  const edge = side * scale;
  const region = { rowStart: 0, rowEnd: edge, columnStart: 0, columnEnd: edge };
  const tiles = tilesIn(region, level, tokens).map((place) => ({ layer, head, ...place }));
  const { lines } = await source.attention({ text, work: tiles.map((tile) => whole(tile, tokens)) }, signal);
  const { kept } = await source.coverage({ text, method, tiles }, signal);
  const put = (parts: readonly Float32Array[]): Float32Array => {
    const picture = new Float32Array(side * side);
    parts.forEach((part, i) => {
      const { row, column } = tiles[i]!;
      const columns = Math.min(TILE_PIXELS, side - column * TILE_PIXELS);
      for (let y = 0; y * TILE_PIXELS < part.length && row * TILE_PIXELS + y < side; y++) {
        const line = part.subarray(y * TILE_PIXELS, y * TILE_PIXELS + columns);
        picture.set(line, (row * TILE_PIXELS + y) * side + column * TILE_PIXELS);
      }
    });
    return picture;
  };
  const shares = kept.filter((share) => share !== null);
  return {
    ...{ layer, head, ...region, width: side, height: side, rowStep: 1 },
    maximum: put(lines.map(({ maximum }) => maximum)),
    excess: put(lines.map(({ excess }) => excess)),
    kept: shares.length === kept.length ? put(shares) : null,
  };
}

/** Every head's whole map, of half the pixels that a tile has. */
export async function takeThumbnails(
  { source, text, tokens }: Subject,
  layers: number,
  heads: number,
): Promise<Thumbnails> {
  const level = topLevel(tokens) + 1;
  const size = Math.ceil(tokens / tokensPerPixel(level));
  const maximum = new Float32Array(layers * heads * size * size);
  for (let layer = 0; layer < layers; layer++) {
    const work = Array.from({ length: heads }, (_, head) =>
      whole({ layer, head, level, row: 0, column: 0 }, tokens),
    );
    const { lines } = await source.attention({ text, work }, signal);
    lines.forEach((part, head) => {
      for (let y = 0; y < size; y++) {
        const line = part.maximum.subarray(y * TILE_PIXELS, y * TILE_PIXELS + size);
        maximum.set(line, ((layer * heads + head) * size + y) * size);
      }
    });
  }
  return { size, layers, heads, maximum, rowStep: 1 };
}
