/** Places the curves' names next to their curves where they cover neither another curve nor another name. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface LabelledCurve {
  readonly label: string;
  /** Ascending in x. */
  readonly points: readonly Point[];
}

export interface PlacedLabel extends Point {
  readonly label: string;
  /** On the label's own curve, at the middle of its width. */
  readonly anchor: Point;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const CHARACTER_WIDTH = 6.6;
/** Free space left and right of a name. */
const SIDE = 5;
const LINE_HEIGHT = 13;
/** Points are drawn this large. */
const DOT_RADIUS = 4;
const PLACES = 40;

/**
 * One label for each curve, its left end at x and its middle at y, inside the frame. The first curve chooses first.
 */
export function placeLabels(curves: readonly LabelledCurve[], frame: Box): PlacedLabel[] {
  const placed: Box[] = [];
  return curves.map(({ label, points }, index) => {
    const width = label.length * CHARACTER_WIDTH + 2 * SIDE;
    let best: { cost: number; box: Box; own: number } | null = null;
    for (let place = 0; place < PLACES; place++) {
      const left = frame.left + ((frame.right - frame.left - width) * place) / (PLACES - 1);
      const own = heightAt(points, left + width / 2);
      if (own === null) continue;
      for (const offset of [-11, 12, -17, 18, -24, 25, -32, 33, 42]) {
        const middle = own + offset;
        const box = {
          left,
          right: left + width,
          top: middle - LINE_HEIGHT / 2,
          bottom: middle + LINE_HEIGHT / 2,
        };
        const cost = costOf(box, frame, placed, curves, index) + Math.abs(offset) * 0.1 + place * 0.05;
        if (!best || cost < best.cost) best = { cost, box, own };
      }
    }
    const box = best?.box ?? {
      left: frame.left,
      right: frame.left + width,
      top: frame.top,
      bottom: frame.top + LINE_HEIGHT,
    };
    placed.push(box);
    const y = (box.top + box.bottom) / 2;
    const anchor = { x: (box.left + box.right) / 2, y: best?.own ?? y };
    return { label, x: box.left + SIDE, y, anchor };
  });
}

function costOf(
  box: Box,
  frame: Box,
  placed: readonly Box[],
  curves: readonly LabelledCurve[],
  own: number,
): number {
  let cost = 0;
  if (box.top < frame.top || box.bottom > frame.bottom) cost += 60;
  for (const other of placed) if (overlaps(box, other)) cost += 100;
  for (const [index, curve] of curves.entries()) {
    for (const { x, y } of curve.points) {
      const isCovered =
        x > box.left + SIDE - DOT_RADIUS &&
        x < box.right - SIDE + DOT_RADIUS &&
        y > box.top - DOT_RADIUS &&
        y < box.bottom + DOT_RADIUS;
      if (isCovered) cost += 14;
    }
    for (let step = 0; step <= 6; step++) {
      const y = heightAt(curve.points, box.left + ((box.right - box.left) * step) / 6);
      if (y === null) continue;
      const distance = y < box.top ? box.top - y : y > box.bottom ? y - box.bottom : 0;
      if (distance === 0) cost += 14;
      // A name nearer to another curve than to its own misleads.
      else if (index !== own && distance < 9) cost += 9 - distance;
    }
  }
  return cost;
}

/** A curve's y at x; null outside of it. */
function heightAt(points: readonly Point[], x: number): number | null {
  for (let at = 1; at < points.length; at++) {
    const from = points[at - 1]!;
    const to = points[at]!;
    if (x >= from.x && x <= to.x) {
      return to.x === from.x ? to.y : from.y + ((to.y - from.y) * (x - from.x)) / (to.x - from.x);
    }
  }
  return null;
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
