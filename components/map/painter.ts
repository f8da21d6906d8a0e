/** Draws the map: one sheet per way of showing it, over the one of the level before while that is not complete. */
import type { MapRegion, TileAddress } from '../../src/tiles/grid';
import type { TilePyramid } from '../../src/tiles/pyramid';
import { type Grid, gridOf, Sheet, type SheetSubject } from './sheet';

/** Main-thread time that painting tiles may take of a frame; the rest waits for the next one. */
const PAINT_MILLISECONDS = 5;

/** What a frame shows. */
export interface Frame {
  /** One, or two for a split: the second lies right of `split`. */
  readonly subjects: readonly SheetSubject[];
  readonly region: MapRegion;
  readonly level: number;
  readonly focus: { readonly query: number; readonly key: number };
  /** Part of the width, 0 … 1. */
  readonly split: number;
  /** Drawn under everything else, until the tiles are there; one per subject. */
  readonly pictures: readonly (Picture | null)[];
}

/** A picture of a part of the matrix. */
export interface Picture {
  readonly region: MapRegion;
  readonly canvas: HTMLCanvasElement;
}

export class MapPainter {
  private readonly pyramid: TilePyramid;
  private sheets: { current: Sheet; under: Sheet | null }[] = [];

  constructor(pyramid: TilePyramid) {
    this.pyramid = pyramid;
  }

  /** Notes that tiles have changed. */
  touch(changed: readonly TileAddress[]): void {
    for (const { current } of this.sheets) current.touch(changed);
  }

  /** Notes that everything may have changed. */
  touchAll(): void {
    for (const { current } of this.sheets) current.touchAll();
  }

  /** The largest row step in view; 1: nothing is sampled. */
  get rowStep(): number {
    return this.sheets.reduce((step, { current }) => Math.max(step, current.rowStep), 1);
  }

  /** Draws a frame, better than the one before as far as time allows. Returns whether there is more to paint. */
  draw(context: CanvasRenderingContext2D, frame: Frame, width: number, height: number): boolean {
    const { subjects, region, level, focus, split, pictures } = frame;
    this.sheets = subjects.map((subject, i) => follow(this.sheets[i], subject, gridOf(region, level)));
    const deadline = performance.now() + PAINT_MILLISECONDS;
    for (const { current } of this.sheets) current.paint(this.pyramid, focus, deadline);
    context.clearRect(0, 0, width, height);
    this.sheets.forEach((sheets, i) => {
      context.save();
      if (i > 0) {
        context.beginPath();
        context.rect(split * width, 0, width, height);
        context.clip();
      }
      if (sheets.current.isComplete) sheets.under = null;
      else {
        const picture = pictures[i];
        if (picture) drawPicture(context, picture, region, width, height);
        sheets.under?.draw(context, region, width, height);
      }
      sheets.current.draw(context, region, width, height);
      context.restore();
    });
    return this.sheets.some(({ current }) => current.isDirty);
  }
}

/** The sheets for a subject and place, made from those of the frame before as far as they fit. */
function follow(
  before: { current: Sheet; under: Sheet | null } | undefined,
  subject: SheetSubject,
  grid: Grid,
): { current: Sheet; under: Sheet | null } {
  const isSame = before?.current.subject === subject;
  if (before && isSame && holds(before.current.grid, grid)) return before;
  const current = new Sheet(subject, grid, isSame ? before.current : null);
  if (!before || !isOfOneHead(before.current.subject, subject)) return { current, under: null };
  const isMoved = isSame && before.current.grid.level === grid.level;
  return { current, under: isMoved ? before.under : before.current };
}

/** Whether one may stand under the other while that is painted: the same cells, in another way or from nearer. */
function isOfOneHead(a: SheetSubject, b: SheetSubject): boolean {
  return (
    a.text === b.text &&
    a.positions === b.positions &&
    a.layer === b.layer &&
    a.head === b.head &&
    a.ramps === b.ramps
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
