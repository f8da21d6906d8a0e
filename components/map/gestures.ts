/**
 * Wheel, pinch and drag on the map. Not d3-zoom: its transform has one scale, and a view may show 16 queries by 40 keys; it knows
 * no gesture events of Safari's; and with all that it needs it adds 12.2 kB to the gzipped page, where this adds 1.4.
 */
import { type PointerEvent, type RefObject, useEffect, useRef } from 'react';
import type { MapRegion } from '../../src/tiles/grid';
import { panRegion, zoomRegion } from './viewport';

interface GestureOptions {
  readonly tokens: number;
  readonly region: RefObject<MapRegion>;
  /** Moves the view during a gesture. */
  move(region: MapRegion): void;
  /** The gesture is over. */
  settle(): void;
  hover(cell: { query: number; key: number } | null): void;
  choose(cell: { query: number; key: number }): void;
}

/** Safari's own event for a pinch on a trackpad, instead of a wheel; `scale` counts from the gesture's start. */
interface GestureEvent extends UIEvent {
  readonly scale: number;
  readonly clientX: number;
  readonly clientY: number;
}

/** Pointer travel, in pixels, up to which a press is a click. */
const CLICK_TRAVEL = 4;
const WHEEL_PAUSE = 220;
const gestureEvents = ['gesturestart', 'gesturechange', 'gestureend'] as const;

/** Wheel and pinch zoom, the left button or a finger drags to pan and clicks to choose. */
export function useGestures(surface: RefObject<HTMLElement | null>, options: GestureOptions) {
  const latest = useRef(options);
  latest.current = options;
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const travel = useRef(0);

  useEffect(() => {
    const element = surface.current;
    if (!element) return;
    let pause: ReturnType<typeof setTimeout> | undefined;
    const zoom = ({ clientX, clientY }: { clientX: number; clientY: number }, factor: number) => {
      const { region, tokens, move, settle } = latest.current;
      const { x, y } = partsOf(element, clientX, clientY);
      move(zoomRegion(region.current, tokens, x, y, factor));
      clearTimeout(pause);
      pause = setTimeout(settle, WHEEL_PAUSE);
    };
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      zoom(event, wheelFactor(event, element.clientHeight));
    };
    let scale = 1;
    const pinch = (event: Event) => {
      event.preventDefault();
      const now = event as GestureEvent;
      // Fingers on a screen are also pointers, and have zoomed already.
      if (event.type !== 'gesturestart' && pointers.current.size === 0) zoom(now, scale / now.scale);
      scale = now.scale;
    };
    // React's wheel listeners are passive: the page would scroll as well.
    element.addEventListener('wheel', wheel, { passive: false });
    for (const name of gestureEvents) element.addEventListener(name, pinch);
    return () => {
      clearTimeout(pause);
      element.removeEventListener('wheel', wheel);
      for (const name of gestureEvents) element.removeEventListener(name, pinch);
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
      if (event.button !== 0) return;
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
      if (travel.current <= CLICK_TRAVEL) return;
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
      if (travel.current > CLICK_TRAVEL) {
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

/** Part of the view that a pixel of the wheel adds; a notch of 100 to 120 pixels is 17 to 21 %. */
const VIEW_PER_PIXEL = 0.0016;
const LINE_PIXELS = 16;
/** Below it, a wheel event with Ctrl is a pinch; a notch of a real wheel is at least that much. */
const NOTCH_PIXELS = 100;

/**
 * Factor of the view's length, below 1: closer. Chrome and Firefox send a trackpad's pinch as wheel events with Ctrl and deltaY =
 * −100 · ln(scale): the view shrinks by what the fingers spread. `pagePixels`: the size of a page, for wheels that count in pages.
 */
export function wheelFactor(
  {
    deltaY,
    deltaMode,
    ctrlKey,
  }: { readonly deltaY: number; readonly deltaMode: number; readonly ctrlKey: boolean },
  pagePixels: number,
): number {
  const isPinch = ctrlKey && deltaMode === 0 && Math.abs(deltaY) < NOTCH_PIXELS;
  if (isPinch) return Math.exp(deltaY / 100);
  const unit = deltaMode === 1 ? LINE_PIXELS : deltaMode === 2 ? pagePixels : 1;
  return Math.exp(deltaY * unit * VIEW_PER_PIXEL);
}
