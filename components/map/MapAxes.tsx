import { scaleLinear } from 'd3-scale';
import type { MapRegion } from '../../src/tiles/grid';
import { formatCount, nameToken } from '../shared/format';
import type { Size } from '../shared/useSize';
import styles from './MapAxes.module.css';

interface MapAxesProps {
  region: MapRegion;
  size: Size;
  tokenTexts: readonly string[];
}

/** From this many pixels per cell, rows and columns are labelled with their tokens. */
const LABELLED_PIXELS = 12;
const LONGEST_LABEL = 9;

/** Token indices along both sides, and the tokens themselves where cells are large enough. */
export function MapAxes({ region, size, tokenTexts }: MapAxesProps) {
  const { rowStart, rowEnd, columnStart, columnEnd } = region;
  const xOf = scaleLinear([columnStart, columnEnd], [0, size.width]);
  const yOf = scaleLinear([rowStart, rowEnd], [0, size.height]);
  const hasRowLabels = size.height / (rowEnd - rowStart) >= LABELLED_PIXELS;
  const hasColumnLabels = size.width / (columnEnd - columnStart) >= LABELLED_PIXELS;
  const rows = hasRowLabels
    ? wholeNumbers(rowStart, rowEnd, tokenTexts.length)
    : ticksOf(yOf, size.height / 60);
  const columns = hasColumnLabels
    ? wholeNumbers(columnStart, columnEnd, tokenTexts.length)
    : ticksOf(xOf, size.width / 90);
  return (
    <>
      <svg className={`${styles.axis} ${styles.rows}`} width={74} height={size.height} aria-hidden="true">
        {rows.map((row) => (
          <text key={row} x={66} y={yOf(hasRowLabels ? row + 0.5 : row)} dy="0.35em" textAnchor="end">
            {hasRowLabels ? short(tokenTexts[row]) : formatCount(row)}
          </text>
        ))}
        {!hasRowLabels && (
          <text className={styles.title} x={66} y={size.height - 2} textAnchor="end">
            query
          </text>
        )}
      </svg>
      <svg
        className={`${styles.axis} ${styles.columns}`}
        width={size.width}
        height={hasColumnLabels ? 64 : 22}
        aria-hidden="true"
      >
        {columns.map((column) =>
          hasColumnLabels ? (
            <text
              key={column}
              transform={`translate(${xOf(column + 0.5)} 6) rotate(-90)`}
              dy="0.35em"
              textAnchor="end"
            >
              {short(tokenTexts[column])}
            </text>
          ) : (
            <text
              key={column}
              x={xOf(column)}
              y={15}
              textAnchor={column === columnStart ? 'start' : 'middle'}
            >
              {formatCount(column)}
            </text>
          ),
        )}
        {!hasColumnLabels && (
          <text className={styles.title} x={size.width} y={15} textAnchor="end">
            key
          </text>
        )}
      </svg>
    </>
  );
}

function ticksOf(scale: ReturnType<typeof scaleLinear<number>>, count: number): number[] {
  const [start = 0, end = 0] = scale.domain();
  // The last stretch is left for the axis' name.
  return scale
    .ticks(Math.max(2, count))
    .filter((tick) => Number.isInteger(tick) && tick <= end - (end - start) * 0.1);
}

function wholeNumbers(start: number, end: number, tokens: number): number[] {
  const first = Math.max(0, Math.floor(start));
  const last = Math.min(tokens, Math.ceil(end));
  return Array.from({ length: Math.max(0, last - first) }, (_, at) => first + at);
}

function short(token = ''): string {
  const text = nameToken(token);
  return text.length > LONGEST_LABEL ? `${text.slice(0, LONGEST_LABEL - 1)}…` : text;
}
