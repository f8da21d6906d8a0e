import { type RefObject, useLayoutEffect, useRef, useState } from 'react';

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The size of an element's content box in CSS pixels, followed as it changes. */
export function useSize<Box extends Element>(fallback: Size): [RefObject<Box | null>, Size] {
  const box = useRef<Box>(null);
  const [size, setSize] = useState(fallback);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = ({ width, height }: DOMRectReadOnly | Size) => {
      if (width > 0 && height > 0) {
        setSize((before) =>
          before.width === width && before.height === height ? before : { width, height },
        );
      }
    };
    measure(element.getBoundingClientRect());
    const observer = new ResizeObserver((entries) => {
      for (const entry of entries) measure(entry.contentRect);
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [box, size];
}
