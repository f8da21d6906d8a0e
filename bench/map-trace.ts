/** Six hundred steps of somebody looking around in a map: zooms about a point, drags, and ways back out; the same every time. */
import { panRegion, zoomRegion } from '../components/map/viewport';
import type { MapRegion } from '../src/tiles/grid';

/** A turn of the wheel over a point, or a drag; points and ways are in parts of the map's width and height. */
export type TraceStep =
  | { readonly kind: 'wheel'; readonly x: number; readonly y: number; readonly delta: number }
  | { readonly kind: 'drag'; readonly x: number; readonly y: number };

const TRACE_STEPS = 600;
const SEED = 20_261;

/** What a turn of the wheel by `delta` pixels zooms by; the page's own factor. */
const ZOOM_PER_PIXEL = 0.0016;

/** The trace. It stays where something is to be seen: below the diagonal. */
export function mapTrace(): TraceStep[] {
  let state = SEED;
  const random = (from: number, to: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return from + (state / 2 ** 32) * (to - from);
  };
  const steps: TraceStep[] = [];
  while (steps.length < TRACE_STEPS) {
    const point = { x: random(0.1, 0.6), y: random(0.55, 0.95) };
    const delta = random(40, 120);
    // From twice to sixty times as close.
    const depth = Math.round(random(0.7, 4.1) / (delta * ZOOM_PER_PIXEL));
    for (let i = 0; i < depth; i++) steps.push({ kind: 'wheel', ...point, delta: -delta });
    for (let drags = Math.round(random(1, 4)); drags > 0; drags--) {
      const angle = random(0, 2 * Math.PI);
      const length = Math.round(random(8, 24));
      // A hand speeds up and slows down.
      for (let i = 0; i < length; i++) {
        const way = 0.05 * Math.sin((Math.PI * (i + 0.5)) / length);
        steps.push({ kind: 'drag', x: way * Math.cos(angle), y: way * Math.sin(angle) });
      }
    }
    const back = Math.round(depth * random(0.6, 1.2));
    for (let i = 0; i < back; i++) steps.push({ kind: 'wheel', x: 0.5, y: 0.5, delta });
  }
  return steps.slice(0, TRACE_STEPS);
}

/** What is in view after a step; what the page makes of the same gesture. */
export function follow(region: MapRegion, tokens: number, step: TraceStep): MapRegion {
  if (step.kind === 'drag') return panRegion(region, tokens, -step.x, -step.y);
  return zoomRegion(region, tokens, step.x, step.y, Math.exp(step.delta * ZOOM_PER_PIXEL));
}
