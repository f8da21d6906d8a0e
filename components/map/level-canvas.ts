/**
 * The visible part of one level of the pyramid as one canvas: tiles side by side without a seam, each from the best available, and
 * replaced when something better arrives.
 */

import type { Pooling } from '../../src/page/choices';
import type { MapRegion } from '../../src/tiles/grid';
import {
  TILE_PIXELS,
  type TileAddress,
  type TilePlace,
  tileTokens,
  tokensPerPixel,
} from '../../src/tiles/grid';
import { isSampled } from '../../src/tiles/plan';
import type { TilePyramid } from '../../src/tiles/pyramid';
import type { ColourTables } from './colour-tables';
import { canvasOf, imageOf, type Layer, renderTile } from './pixels';

/** What decides the pixels of a level canvas, apart from its place. */
export interface MapSubject {
  readonly text: string;
  /** Whose positions: the model's (null), or a method's own. */
  readonly positions: string | null;
  readonly tokens: number;
  readonly layer: number;
  readonly head: number;
  readonly shown: Layer;
  readonly pooling: Pooling;
  readonly colours: ColourTables;
}

/** Tiles [rowStart, rowEnd) × [columnStart, columnEnd) of a level. */
export interface Grid {
  readonly level: number;
  readonly rowStart: number;
  readonly rowEnd: number;
  readonly columnStart: number;
  readonly columnEnd: number;
}

/** What a tile slot shows: nothing, another level's picture, or its own; `rowStep` above 1: that one is sampled. */
interface TileSlot {
  isDirty: boolean;
  isOwn: boolean;
  rowStep: number;
}

export class LevelCanvas {
  readonly subject: MapSubject;
  readonly grid: Grid;
  readonly #canvas: HTMLCanvasElement | null;
  readonly #context: CanvasRenderingContext2D | null;
  readonly #slots: TileSlot[];
  /** Room for one tile's pixels, and the same as an image. */
  readonly #pixels = new Uint32Array(TILE_PIXELS * TILE_PIXELS);
  readonly #image: ImageData;
  #dirty: number;

  constructor(subject: MapSubject, grid: Grid, before: LevelCanvas | null) {
    this.subject = subject;
    this.grid = grid;
    const columns = grid.columnEnd - grid.columnStart;
    const rows = grid.rowEnd - grid.rowStart;
    this.#canvas = canvasOf(columns * TILE_PIXELS, rows * TILE_PIXELS);
    this.#context = this.#canvas?.getContext('2d') ?? null;
    this.#image = imageOf(TILE_PIXELS, TILE_PIXELS, this.#pixels);
    this.#slots = Array.from({ length: rows * columns }, () => ({ isDirty: true, isOwn: false, rowStep: 0 }));
    this.#dirty = this.#slots.length;
    if (before && before.subject === subject && before.grid.level === grid.level) this.#take(before);
  }

  /** Whether some slot does not show the best available. */
  get isDirty(): boolean {
    return this.#dirty > 0;
  }

  /** Whether every slot shows its own tile. */
  get isComplete(): boolean {
    return this.#slots.every(({ isOwn, isDirty }) => isOwn && !isDirty);
  }

  /** The largest row step among the tiles that are shown; 1: nothing is sampled. */
  get rowStep(): number {
    return this.#slots.reduce((step, slot) => Math.max(step, slot.rowStep), 1);
  }

  /** Marks what shows these tiles as out of date. */
  invalidate(changed: readonly TileAddress[]): void {
    const { layer, head } = this.subject;
    for (const tile of changed) {
      if (tile.layer !== layer || tile.head !== head || tile.level < this.grid.level) continue;
      const by = 2 ** (tile.level - this.grid.level);
      this.#eachSlot((slot, place) => {
        const isCovered =
          Math.floor(place.row / by) === tile.row && Math.floor(place.column / by) === tile.column;
        if (isCovered) this.#invalidateSlot(slot);
      });
    }
  }

  /** Marks everything as out of date. */
  invalidateAll(): void {
    this.#eachSlot((slot) => this.#invalidateSlot(slot));
  }

  /** Renders the slots that need it, those near the focus first, until `deadline` (performance.now()); at least one. */
  render(
    pyramid: TilePyramid,
    focus: { readonly query: number; readonly key: number },
    deadline: number,
  ): void {
    if (this.#dirty === 0 || !this.#context) return;
    const span = tileTokens(this.grid.level);
    const waiting: { slot: TileSlot; place: TilePlace; distance: number }[] = [];
    this.#eachSlot((slot, place) => {
      if (!slot.isDirty) return;
      const down = (place.row + 0.5) * span - focus.query;
      const across = (place.column + 0.5) * span - focus.key;
      waiting.push({ slot, place, distance: Math.hypot(down, across) });
    });
    waiting.sort((a, b) => a.distance - b.distance);
    for (const { slot, place } of waiting) {
      this.#renderSlot(pyramid, slot, place);
      if (performance.now() > deadline) return;
    }
  }

  /** Draws the part in view onto [0, width] × [0, height] of a canvas. */
  draw(context: CanvasRenderingContext2D, region: MapRegion, width: number, height: number): void {
    if (!this.#canvas) return;
    const { level, rowStart, columnStart } = this.grid;
    const scale = tokensPerPixel(level);
    const perColumn = width / (region.columnEnd - region.columnStart);
    const perRow = height / (region.rowEnd - region.rowStart);
    // Cells have hard edges; pixels of many cells, and a picture that shrinks, are smoothed.
    context.imageSmoothingEnabled = level > 0 || perColumn < 1 || perRow < 1;
    context.drawImage(
      this.#canvas,
      (columnStart * tileTokens(level) - region.columnStart) * perColumn,
      (rowStart * tileTokens(level) - region.rowStart) * perRow,
      this.#canvas.width * scale * perColumn,
      this.#canvas.height * scale * perRow,
    );
  }

  #renderSlot(pyramid: TilePyramid, slot: TileSlot, place: TilePlace): void {
    slot.isDirty = false;
    this.#dirty--;
    const { text, tokens, layer, head, shown, pooling, colours } = this.subject;
    const address = { layer, head, ...place };
    const attention = pyramid.attention(this.subject, address, tokens);
    // Above the diagonal there is nothing to come.
    slot.isOwn = place.column > place.row || attention?.place.level === place.level;
    if (!attention) return;
    const kept = shown === 'full' ? null : pyramid.coverage(text, address, tokens);
    renderTile(this.#pixels, place, attention, kept, shown, pooling, colours);
    const x = (place.column - this.grid.columnStart) * TILE_PIXELS;
    const y = (place.row - this.grid.rowStart) * TILE_PIXELS;
    this.#context?.putImageData(this.#image, x, y);
    const { value, place: from } = attention;
    slot.rowStep = from.level === place.level && isSampled(value, address, tokens) ? value.rowStep : 1;
  }

  /** Takes over the slots of the previous canvas. */
  #take(before: LevelCanvas): void {
    const { rowStart, columnStart, columnEnd } = before.grid;
    const columns = columnEnd - columnStart;
    this.#eachSlot((slot, place) => {
      const isThere =
        place.row >= rowStart &&
        place.row < before.grid.rowEnd &&
        place.column >= columnStart &&
        place.column < columnEnd;
      if (!isThere) return;
      Object.assign(slot, before.#slots[(place.row - rowStart) * columns + place.column - columnStart]);
      if (!slot.isDirty) this.#dirty--;
    });
    if (before.#canvas) {
      const x = (columnStart - this.grid.columnStart) * TILE_PIXELS;
      const y = (rowStart - this.grid.rowStart) * TILE_PIXELS;
      this.#context?.drawImage(before.#canvas, x, y);
    }
  }

  #invalidateSlot(slot: TileSlot): void {
    if (slot.isDirty) return;
    slot.isDirty = true;
    this.#dirty++;
  }

  #eachSlot(visit: (slot: TileSlot, place: TilePlace) => void): void {
    const { level, rowStart, rowEnd, columnStart, columnEnd } = this.grid;
    let at = 0;
    for (let row = rowStart; row < rowEnd; row++) {
      for (let column = columnStart; column < columnEnd; column++) {
        visit(this.#slots[at++]!, { level, row, column });
      }
    }
  }
}

/** The tiles that a region touches, as a rectangle. */
export function gridOf(region: MapRegion, level: number): Grid {
  const span = tileTokens(level);
  return {
    level,
    rowStart: Math.floor(region.rowStart / span),
    rowEnd: Math.ceil(region.rowEnd / span),
    columnStart: Math.floor(region.columnStart / span),
    columnEnd: Math.ceil(region.columnEnd / span),
  };
}
