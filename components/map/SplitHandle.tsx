import type { KeyboardEvent, PointerEvent } from 'react';
import styles from './SplitHandle.module.css';

interface SplitHandleProps {
  /** Part of the width, 0 … 1. */
  at: number;
  /** `isDone`: the handle has been let go of. */
  onMove: (at: number, isDone: boolean) => void;
}

/** As fine as a link says it. */
const STEPS = 1000;

/** The edge between full attention and the method's selection. */
export function SplitHandle({ at, onMove }: SplitHandleProps) {
  const move = (to: number) => onMove(Math.round(Math.min(1, Math.max(0, to)) * STEPS) / STEPS, false);
  const settle = () => onMove(at, true);
  const drag = (event: PointerEvent) => {
    event.stopPropagation();
    if (!event.currentTarget.hasPointerCapture?.(event.pointerId)) return;
    const { left, width } = event.currentTarget.parentElement!.getBoundingClientRect();
    move((event.clientX - left) / width);
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    move(at + step);
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
      onLostPointerCapture={settle}
      onKeyDown={press}
      onKeyUp={(event) => event.key.startsWith('Arrow') && settle()}
    >
      <span>full</span>
      <span>selective</span>
    </div>
  );
}
