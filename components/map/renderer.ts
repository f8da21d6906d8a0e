/** Draws the map: one level canvas for each way of showing it, over that of the previous level until it is complete. */
import type { MapRegion, TileAddress } from '../../src/tiles/grid';
import type { TilePyramid } from '../../src/tiles/pyramid';
import { type Grid, gridOf, LevelCanvas, type MapSubject } from './level-canvas';

/** Main-thread time that rendering tiles may take in a frame; the rest waits for the next. */
const RENDER_MILLISECONDS = 5;

/** What a frame shows. */
export interface Frame {
  /** One, or two for a split: the second lies right of `split`. */
  readonly subjects: readonly MapSubject[];
  readonly region: MapRegion;
  readonly level: number;
  readonly focus: { readonly query: number; readonly key: number };
  /** Part of the width, 0 … 1. */
  readonly split: number;
  /** Drawn beneath everything else until the tiles arrive; one per subject. */
  readonly pictures: readonly (Picture | null)[];
}

/** A picture of a part of the matrix. */
export interface Picture {
  readonly region: MapRegion;
  readonly canvas: HTMLCanvasElement;
}

export class MapRenderer {
  readonly #pyramid: TilePyramid;
  #canvases: { current: LevelCanvas; under: LevelCanvas | null }[] = [];

  constructor(pyramid: TilePyramid) {
    this.#pyramid = pyramid;
  }

  /** Marks what shows these tiles as out of date. */
  invalidate(changed: readonly TileAddress[]): void {
    for (const { current } of this.#canvases) current.invalidate(changed);
  }

  /** Marks everything as out of date. */
  invalidateAll(): void {
    for (const { current } of this.#canvases) current.invalidateAll();
  }

  /** The largest row step in view; 1: nothing is sampled. */
  get rowStep(): number {
    return this.#canvases.reduce((step, { current }) => Math.max(step, current.rowStep), 1);
  }

  /** Draws a frame as well as time allows. Returns whether there is more to render. */
  draw(context: CanvasRenderingContext2D, frame: Frame, width: number, height: number): boolean {
    const { subjects, region, level, focus, split, pictures } = frame;
    this.#canvases = subjects.map((subject, i) => follow(this.#canvases[i], subject, gridOf(region, level)));
    const deadline = performance.now() + RENDER_MILLISECONDS;
    for (const { current } of this.#canvases) current.render(this.#pyramid, focus, deadline);
    context.clearRect(0, 0, width, height);
    this.#canvases.forEach((canvases, i) => {
      context.save();
      if (i > 0) {
        context.beginPath();
        context.rect(split * width, 0, width, height);
        context.clip();
      }
      if (canvases.current.isComplete) canvases.under = null;
      else {
        const picture = pictures[i];
        if (picture) drawPicture(context, picture, region, width, height);
        canvases.under?.draw(context, region, width, height);
      }
      canvases.current.draw(context, region, width, height);
      context.restore();
    });
    return this.#canvases.some(({ current }) => current.isDirty);
  }
}

/** The canvases for a subject and place, reusing those of the previous frame as far as they fit. */
function follow(
  before: { current: LevelCanvas; under: LevelCanvas | null } | undefined,
  subject: MapSubject,
  grid: Grid,
): { current: LevelCanvas; under: LevelCanvas | null } {
  const isSame = before?.current.subject === subject;
  if (before && isSame && holds(before.current.grid, grid)) return before;
  const current = new LevelCanvas(subject, grid, isSame ? before.current : null);
  if (!before || !isOfOneHead(before.current.subject, subject)) return { current, under: null };
  const isMoved = isSame && before.current.grid.level === grid.level;
  return { current, under: isMoved ? before.under : before.current };
}

/** Whether one may show beneath the other while that is rendered: the same cells, shown differently or closer. */
function isOfOneHead(a: MapSubject, b: MapSubject): boolean {
  return (
    a.text === b.text &&
    a.positions === b.positions &&
    a.layer === b.layer &&
    a.head === b.head &&
    a.colours === b.colours
  );
}

function holds(outer: Grid, inner: Grid): boolean {
  return (
    outer.level === inner.level &&
    outer.rowStart <= inner.rowStart &&
    outer.rowEnd >= inner.rowEnd &&
    outer.columnStart <= inner.columnStart &&
    outer.columnEnd >= inner.columnEnd
  );
}

function drawPicture(
  context: CanvasRenderingContext2D,
  { region: own, canvas }: Picture,
  region: MapRegion,
  width: number,
  height: number,
): void {
  const perColumn = width / (region.columnEnd - region.columnStart);
  const perRow = height / (region.rowEnd - region.rowStart);
  const drawnWidth = (own.columnEnd - own.columnStart) * perColumn;
  const drawnHeight = (own.rowEnd - own.rowStart) * perRow;
  context.imageSmoothingEnabled = drawnWidth < canvas.width || drawnHeight < canvas.height;
  context.drawImage(
    canvas,
    (own.columnStart - region.columnStart) * perColumn,
    (own.rowStart - region.rowStart) * perRow,
    drawnWidth,
    drawnHeight,
  );
}
