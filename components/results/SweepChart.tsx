import { min } from 'd3-array';
import { type ScaleLogarithmic, scaleLinear, scaleLog } from 'd3-scale';
import { curveMonotoneX, line } from 'd3-shape';
import { fingerprint } from '../../src/base/fingerprint';
import type { SweepCurve, SweepPoint } from '../../src/measure/results';
import type { MeasuredBy } from '../../src/page/measured';
import { formatPercent } from '../shared/format';
import { Stale } from '../shared/Stale';
import { useSize } from '../shared/useSize';
import { Chart, ShareGrid } from './Chart';
import { type Point, placeLabels } from './place-labels';
import styles from './SweepChart.module.css';
import { SweepHandle } from './SweepHandle';

const HEIGHT = 196;
const margin = { top: 10, right: 12, bottom: 33, left: 42 };
const dashes = ['', '5 3', '2 3', '8 3 2 3', '1 3', '10 4'];
const xTicks = [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001];
/** Pixels between labels of the axis that do not touch; the last one ends where the axis does. */
const TICK_ROOM = 36;
const LAST_TICK_ROOM = 56;

export interface SweepChartProps {
  curves: readonly (SweepCurve & { readonly title: string })[];
  /** The study's own point. */
  current: { readonly kept: number; readonly massRecall: number } | null;
  /** What made the point. */
  currentBy: MeasuredBy | null;
  isGrey: boolean;
  /** The text asks for an answer that says something about the methods: points say whether it was right. */
  isAnswered: boolean;
}

/** One line per method; the point is the study, and can be dragged. */
export function SweepChart({ curves, current, currentBy, isGrey, isAnswered }: SweepChartProps) {
  const [box, { width }] = useSize<HTMLDivElement>({ width: 310, height: HEIGHT });
  const shown = [...curves.flatMap(({ points }) => points), ...(current ? [current] : [])];
  // The study's own point may keep less, and find less, than every curve.
  const least = Math.min(0.05, min(shown, ({ kept }) => kept || null) ?? 1);
  const xOf = scaleLog([least * 0.9, 1], [margin.left, width - margin.right]).clamp(true);
  const lowest = min(shown, ({ massRecall }) => massRecall) ?? 1;
  const bottom = Math.min(0.75, Math.floor(lowest * 4) / 4);
  const yOf = scaleLinear([bottom, 1], [HEIGHT - margin.bottom, margin.top]).clamp(true);
  const drawn = curves
    .map((curve) => ({ ...curve, points: pointsOf(curve, xOf, yOf) }))
    .sort((a, b) => Number(b.current) - Number(a.current));
  const lead = leadOf(current && { x: xOf(current.kept), y: yOf(current.massRecall) }, drawn[0]);
  const labels = placeLabels(
    drawn.map(({ title, points }) => ({ label: title, points })),
    { left: margin.left, right: width - margin.right, top: margin.top - 4, bottom: HEIGHT - margin.bottom },
  );
  const path = line<Point>(
    (point) => point.x,
    (point) => point.y,
  ).curve(curveMonotoneX);
  return (
    <Chart
      box={box}
      width={width}
      height={HEIGHT}
      role="group"
      aria-label="Mass recall against kept keys; the table has the numbers"
      isGrey={isGrey}
    >
      <ShareGrid yOf={yOf} left={margin.left} right={width - margin.right} />
      {ticksOf(xOf).map((tick) => (
        <text
          key={tick}
          x={xOf(tick)}
          y={HEIGHT - margin.bottom + 16}
          textAnchor={tick === 1 ? 'end' : 'middle'}
        >
          {formatPercent(tick)}
        </text>
      ))}
      <text className={styles.title} x={width - margin.right} y={HEIGHT - 3} textAnchor="end">
        kept keys, log
      </text>
      {drawn.map(({ method, points, current: isCurrent }, at) => (
        <path
          key={fingerprint([isCurrent, method])}
          className={styles.curve}
          data-current={isCurrent || undefined}
          strokeDasharray={isCurrent ? undefined : dashes[at % dashes.length]}
          d={path(points) ?? ''}
        />
      ))}
      {lead && (
        <Stale
          as="path"
          by={currentBy}
          className={`${styles.curve} ${styles.lead}`}
          data-current
          d={path(lead) ?? ''}
        />
      )}
      {isAnswered &&
        [...drawn].reverse().map(({ method, points, title, current: isCurrent }) => (
          <g key={fingerprint([isCurrent, method])}>
            {points.map(({ x, y, point }) => (
              <AnswerPoint key={point.keep} {...{ point, x, y, title, isCurrent }} />
            ))}
          </g>
        ))}
      {labels.map(({ label, x, y, anchor }, at) => (
        <g key={fingerprint([drawn[at]?.current, drawn[at]?.method])}>
          {Math.abs(anchor.y - y) > 15 && (
            <line
              className={styles.leader}
              x1={anchor.x}
              y1={anchor.y}
              x2={anchor.x}
              y2={y + (anchor.y < y ? -7 : 7)}
            />
          )}
          <text
            className={styles.label}
            data-current={drawn[at]?.current || undefined}
            x={x}
            y={y}
            dy="0.35em"
          >
            {label}
          </text>
        </g>
      ))}
      {current && (
        <SweepHandle
          xOf={xOf}
          yOf={yOf}
          current={current}
          by={currentBy}
          top={margin.top}
          bottom={HEIGHT - margin.bottom}
        />
      )}
    </Chart>
  );
}

/** Whether the method answered this text at a point; null: not run. */
function answerOf({ right }: Pick<SweepPoint, 'right'>): boolean | null {
  return right ?? null;
}

export function answerWord(point: Pick<SweepPoint, 'right'>): 'right' | 'wrong' | 'not run' {
  const right = answerOf(point);
  return right === null ? 'not run' : right ? 'right' : 'wrong';
}

interface AnswerPointProps {
  point: SweepPoint;
  x: number;
  y: number;
  title: string;
  isCurrent: boolean;
}

/** A point of a curve: filled where the answer was right, hollow where it was wrong, a dot where it was not run. */
function AnswerPoint({ point, x, y, title, isCurrent }: AnswerPointProps) {
  const word = answerWord(point);
  const kept = formatPercent(point.kept ?? 0);
  const recall = formatPercent(point.massRecall ?? 0);
  return (
    <circle
      className={styles.point}
      data-current={isCurrent || undefined}
      data-answer={word}
      cx={x}
      cy={y}
      r={word === 'not run' ? 1.4 : 3.2}
    >
      <title>{`${title}, ${kept} kept, ${recall} recall: answer ${word}`}</title>
    </circle>
  );
}

interface DrawnPoint extends Point {
  readonly point: SweepPoint;
}

/** From the study's own point to the first of its curve, where it keeps less than any budget that was swept. */
function leadOf(
  current: Point | null,
  curve: { readonly points: readonly Point[] } | undefined,
): Point[] | null {
  const first = curve?.points[0];
  return current && first && current.x < first.x ? [current, first] : null;
}

/** Labels of the axis: from the right, as many as there is room for. */
function ticksOf(xOf: ScaleLogarithmic<number, number>): number[] {
  const ticks: number[] = [];
  for (const tick of xTicks) {
    const last = ticks.at(-1);
    const room = last === undefined ? 0 : xOf(last) - xOf(tick);
    const isInside = tick >= xOf.domain()[0]!;
    if (isInside && (last === undefined || room >= (last === 1 ? LAST_TICK_ROOM : TICK_ROOM)))
      ticks.push(tick);
  }
  return ticks;
}

function pointsOf(curve: SweepCurve, xOf: (x: number) => number, yOf: (y: number) => number): DrawnPoint[] {
  return curve.points
    .filter((point) => point.kept !== null && point.massRecall !== null && point.kept > 0)
    .map((point) => ({ x: xOf(point.kept!), y: yOf(point.massRecall!), point }))
    .sort((a, b) => a.x - b.x);
}
