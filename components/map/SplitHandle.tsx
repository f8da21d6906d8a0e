import type { KeyboardEvent, PointerEvent } from 'react';
import styles from './SplitHandle.module.css';

interface SplitHandleProps {
  /** Part of the width, 0 … 1. */
  at: number;
  onMove: (at: number) => void;
}

/** The edge between full attention and the method's selection. */
export function SplitHandle({ at, onMove }: SplitHandleProps) {
  const drag = (event: PointerEvent) => {
    event.stopPropagation();
    if (!event.currentTarget.hasPointerCapture?.(event.pointerId)) return;
    const { left, width } = event.currentTarget.parentElement!.getBoundingClientRect();
    onMove(Math.min(1, Math.max(0, (event.clientX - left) / width)));
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    onMove(Math.min(1, Math.max(0, at + step)));
  };
  return (
    <div
      className={styles.handle}
      style={{ left: `${at * 100}%` }}
      role="slider"
      tabIndex={0}
      aria-label="Edge between full (left) and selective (right)"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(at * 100)}
      onPointerDown={(event) => {
        event.stopPropagation();
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture?.(event.pointerId);
      }}
      onPointerMove={drag}
      onKeyDown={press}
    >
      <span>full</span>
      <span>selective</span>
    </div>
  );
}
