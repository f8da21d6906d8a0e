/** The heads' whole pictures, small: from the top of the pyramid, and until that has them from the recorded study. */
import { TILE_PIXELS, type TileAddress, tokensPerPixel, topLevel } from '../../src/tiles/grid';
import type { Thumbnails } from '../../src/tiles/picture';
import type { TilePyramid } from '../../src/tiles/pyramid';
import { type ColourTables, IGNORED_BITS } from './colour-tables';
import { canvasOf, imageOf } from './pixels';

interface ThumbnailSubject {
  readonly layers: number;
  readonly heads: number;
  /** Pixels of a picture's side. */
  readonly pixels: number;
  /** Null while no text is there. */
  readonly text: string | null;
  readonly positions: string | null;
  readonly tokens: number;
  readonly recorded: Thumbnails | null;
  readonly colours: ColourTables;
}

/** A square of weights inside an array: `used` of its `pitch` columns and rows. */
interface Source {
  readonly weights: Float32Array;
  readonly pitch: number;
  readonly used: number;
}

export class ThumbnailCanvas {
  readonly #subject: ThumbnailSubject;
  readonly #pyramid: TilePyramid;
  readonly #top: number;
  readonly #canvas: HTMLCanvasElement | null;
  /** Heads whose picture on the canvas is up to date. */
  readonly #isRendered: boolean[];

  constructor(subject: ThumbnailSubject, pyramid: TilePyramid) {
    const { layers, heads, pixels, tokens } = subject;
    this.#subject = subject;
    this.#pyramid = pyramid;
    this.#top = topLevel(tokens);
    this.#canvas = canvasOf(heads * pixels, layers * pixels);
    this.#isRendered = new Array<boolean>(layers * heads).fill(false);
  }

  /** Marks the pictures of these tiles as out of date. Returns whether there are any. */
  invalidate(changed: readonly TileAddress[]): boolean {
    let isHere = false;
    for (const { layer, head, level } of changed) {
      if (level !== this.#top) continue;
      this.#isRendered[layer * this.#subject.heads + head] = false;
      isHere = true;
    }
    return isHere;
  }

  /** Draws one head's picture, if there is one, `side` wide and high. */
  draw(
    context: CanvasRenderingContext2D,
    layer: number,
    head: number,
    x: number,
    y: number,
    side: number,
  ): void {
    if (!this.#canvas) return;
    const { pixels, heads } = this.#subject;
    const at = layer * heads + head;
    if (!this.#isRendered[at]) {
      const source = this.#sourceOf(layer, head);
      if (source) this.#render(source, head * pixels, layer * pixels);
      this.#isRendered[at] = true;
    }
    context.drawImage(this.#canvas, head * pixels, layer * pixels, pixels, pixels, x, y, side, side);
  }

  #sourceOf(layer: number, head: number): Source | null {
    const { text, positions, tokens, recorded } = this.#subject;
    const address = { layer, head, level: this.#top, row: 0, column: 0 };
    const found = text === null ? null : this.#pyramid.attention({ text, positions }, address, tokens);
    if (found) {
      const used = tokens / tokensPerPixel(this.#top);
      return { weights: found.value.maximum, pitch: TILE_PIXELS, used };
    }
    if (!recorded || layer >= recorded.layers || head >= recorded.heads) return null;
    const { size, heads, maximum } = recorded;
    const start = (layer * heads + head) * size * size;
    return { weights: maximum.subarray(start, start + size * size), pitch: size, used: size };
  }

  /** The largest weight of the source's pixels under each pixel. */
  #render({ weights, pitch, used }: Source, left: number, top: number): void {
    const { pixels, colours } = this.#subject;
    const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
    const out = new Uint32Array(pixels * pixels);
    const edge = (at: number): number => Math.min(pitch, Math.ceil((at * used) / pixels));
    for (let y = 0; y < pixels; y++) {
      for (let x = 0; x < pixels; x++) {
        // Positive floats are ordered as their bits are.
        let largest = 0;
        for (let row = Math.floor((y * used) / pixels); row < edge(y + 1); row++) {
          for (let column = Math.floor((x * used) / pixels); column < edge(x + 1); column++) {
            largest = Math.max(largest, bits[row * pitch + column]!);
          }
        }
        if (largest > 0) out[y * pixels + x] = colours.heat[largest >>> IGNORED_BITS]!;
      }
    }
    this.#canvas?.getContext('2d')?.putImageData(imageOf(pixels, pixels, out), left, top);
  }
}
