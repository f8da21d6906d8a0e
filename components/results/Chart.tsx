import type { ScaleLinear } from 'd3-scale';
import type { ReactNode, Ref } from 'react';
import { formatPercent } from '../shared/format';
import styles from './Chart.module.css';

interface ChartProps {
  /** The element that is as wide as the chart may be. */
  box: Ref<HTMLDivElement>;
  width: number;
  height: number;
  /** `group`: a picture that has a handle in it. */
  role: 'img' | 'group';
  'aria-label': string;
  /** Full attention is no yardstick past the trained length. */
  isGrey: boolean;
  children: ReactNode;
}

/** A picture of numbers, as wide as its column. */
export function Chart({ box, 'aria-label': label, isGrey, children, ...rest }: ChartProps) {
  return (
    <div ref={box} className={styles.chart} data-grey={isGrey || undefined}>
      <svg aria-label={label} {...rest}>
        {children}
      </svg>
    </div>
  );
}

interface ShareGridProps {
  yOf: ScaleLinear<number, number>;
  left: number;
  right: number;
}

/** Lines across a chart at d3's ticks, each with its number at the left. d3-axis would have to own the element, which React does. */
export function ShareGrid({ yOf, left, right }: ShareGridProps) {
  return yOf.ticks(4).map((tick) => (
    <g key={tick}>
      <line className={styles.line} x1={left} x2={right} y1={yOf(tick)} y2={yOf(tick)} />
      <text x={left - 6} y={yOf(tick)} dy="0.35em" textAnchor="end">
        {formatPercent(tick)}
      </text>
    </g>
  ));
}
