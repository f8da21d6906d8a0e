import { type PointerEvent, type RefObject, useEffect, useRef } from 'react';
import type { MapRegion } from '../../src/study/types';
import { panRegion, zoomRegion } from './viewport';

interface GestureOptions {
  readonly tokens: number;
  readonly region: RefObject<MapRegion>;
  /** The view while a gesture lasts. */
  move(region: MapRegion): void;
  /** The gesture is over. */
  settle(): void;
  hover(cell: { query: number; key: number } | null): void;
  choose(cell: { query: number; key: number }): void;
}

/** Pointer travel, in pixels, up to which a press is a click. */
const clickTravel = 4;
const wheelPause = 220;

/** Wheel and pinch zoom, drag to pan, click to choose. */
export function useGestures(surface: RefObject<HTMLElement | null>, options: GestureOptions) {
  const latest = useRef(options);
  latest.current = options;
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const travel = useRef(0);

  useEffect(() => {
    const element = surface.current;
    if (!element) return;
    let pause: ReturnType<typeof setTimeout> | undefined;
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const { region, tokens, move, settle } = latest.current;
      const { x, y } = partsOf(element, event.clientX, event.clientY);
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      move(zoomRegion(region.current, tokens, x, y, Math.exp(event.deltaY * lines * 0.0016)));
      clearTimeout(pause);
      pause = setTimeout(settle, wheelPause);
    };
    // React's wheel listeners are passive: the page would scroll as well.
    element.addEventListener('wheel', wheel, { passive: false });
    return () => {
      clearTimeout(pause);
      element.removeEventListener('wheel', wheel);
    };
  }, [surface]);

  const cellAt = (event: PointerEvent) => {
    const { x, y } = partsOf(event.currentTarget, event.clientX, event.clientY);
    const { rowStart, rowEnd, columnStart, columnEnd } = options.region.current;
    const query = Math.floor(rowStart + y * (rowEnd - rowStart));
    const key = Math.floor(columnStart + x * (columnEnd - columnStart));
    const isInside = x >= 0 && y >= 0 && query >= 0 && query < options.tokens && key >= 0 && key <= query;
    return isInside ? { query, key } : null;
  };

  return {
    onPointerDown(event: PointerEvent) {
      event.currentTarget.setPointerCapture?.(event.pointerId);
      pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (pointers.current.size === 1) travel.current = 0;
    },
    onPointerMove(event: PointerEvent) {
      const before = pointers.current.get(event.pointerId);
      if (!before) {
        options.hover(cellAt(event));
        return;
      }
      const now = { x: event.clientX, y: event.clientY };
      travel.current += Math.hypot(now.x - before.x, now.y - before.y);
      const { width, height } = event.currentTarget.getBoundingClientRect();
      const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
      pointers.current.set(event.pointerId, now);
      if (travel.current <= clickTravel) return;
      const { region, tokens } = options;
      let next = region.current;
      const share = other ? 2 : 1;
      next = panRegion(next, tokens, (before.x - now.x) / width / share, (before.y - now.y) / height / share);
      if (other) {
        const factor =
          Math.hypot(before.x - other.x, before.y - other.y) /
          Math.max(1, Math.hypot(now.x - other.x, now.y - other.y));
        const { x, y } = partsOf(event.currentTarget, (now.x + other.x) / 2, (now.y + other.y) / 2);
        next = zoomRegion(next, tokens, x, y, factor);
      }
      options.move(next);
    },
    onPointerUp(event: PointerEvent) {
      const wasDown = pointers.current.delete(event.pointerId);
      if (!wasDown || pointers.current.size > 0) return;
      if (travel.current > clickTravel) {
        options.settle();
        return;
      }
      const cell = cellAt(event);
      if (cell) options.choose(cell);
    },
    onPointerCancel(event: PointerEvent) {
      pointers.current.delete(event.pointerId);
      options.settle();
    },
    onPointerLeave() {
      if (pointers.current.size === 0) options.hover(null);
    },
  };
}

function partsOf(element: Element, clientX: number, clientY: number): { x: number; y: number } {
  const { left, top, width, height } = element.getBoundingClientRect();
  return { x: (clientX - left) / Math.max(1, width), y: (clientY - top) / Math.max(1, height) };
}
