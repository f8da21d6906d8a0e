import type { ScaleContinuousNumeric } from 'd3-scale';
import { type KeyboardEvent, type PointerEvent, useState } from 'react';
import { useMethod, usePage, usePageState, useParameterContext } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import { formatPercent } from '../shared/format';
import { Stale } from '../shared/Stale';
import { budgetOfKey } from './budget-keyboard';
import styles from './SweepChart.module.css';

interface SweepHandleProps {
  xOf: ScaleContinuousNumeric<number, number>;
  yOf: (recall: number) => number;
  current: { readonly kept: number; readonly massRecall: number };
  /** What made the point. */
  by: MeasuredBy | null;
  top: number;
  bottom: number;
}

/** The study's own point: dragging it asks the method for that budget. */
export function SweepHandle({ xOf, yOf, current, by, top, bottom }: SweepHandleProps) {
  const { actions, store } = usePage();
  const method = useMethod();
  const context = useParameterContext();
  const text = usePageState('text');
  const evictAt = text?.queries.start ?? 0;
  const answerStart = text?.answerStart ?? null;
  const [asked, setAsked] = useState<number | null>(null);
  const ask = (keep: number, isDone: boolean) => {
    const { parameters } = store.getState().session.method;
    const wanted = Math.min(1, Math.max(1 / context.tokens, keep));
    const budgetOf = (fraction: number) =>
      method.withBudget(parameters, context, fraction, { evictAt, answerStart });
    const result = budgetOf(wanted);
    // Below the floor the nearest the method can do.
    const reached = 'floor' in result ? budgetOf(result.floor) : result;
    setAsked(isDone ? null : 'floor' in result ? result.floor : wanted);
    if ('parameters' in reached) actions.setParameters(reached.parameters, isDone);
  };
  const keepAt = (event: PointerEvent<SVGElement>) => {
    const { left } = event.currentTarget.ownerSVGElement!.getBoundingClientRect();
    return xOf.invert(event.clientX - left);
  };
  const press = (event: KeyboardEvent) => {
    const budget = budgetOfKey(event.key, { method, context, ...store.getState() }, current.kept);
    if (budget === null) return;
    event.preventDefault();
    ask(budget, true);
  };
  const isDragged = asked !== null;
  const x = xOf(asked ?? current.kept);
  return (
    <Stale as="g" by={by} className={styles.handle}>
      {isDragged && <line x1={x} x2={x} y1={top} y2={bottom} />}
      {isDragged && (
        <text x={x} y={bottom - 6} dx={x > 240 ? -6 : 6} textAnchor={x > 240 ? 'end' : 'start'}>
          asked {formatPercent(asked)}
        </text>
      )}
      <circle
        cx={x}
        cy={yOf(current.massRecall)}
        r={6}
        role="slider"
        tabIndex={0}
        aria-label="Kept keys"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round((asked ?? current.kept) * 1000) / 10}
        aria-valuetext={`${formatPercent(current.kept)} kept, mass recall ${formatPercent(current.massRecall)}`}
        onKeyDown={press}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture?.(event.pointerId);
          setAsked(current.kept);
        }}
        onPointerMove={(event) => isDragged && ask(keepAt(event), false)}
        onPointerUp={(event) => isDragged && ask(keepAt(event), true)}
        onPointerCancel={() => setAsked(null)}
      >
        <title>{`${formatPercent(current.kept)} kept, mass recall ${formatPercent(current.massRecall)}; drag to change the budget`}</title>
      </circle>
    </Stale>
  );
}
