import { usePageState } from '../../src/page/hooks';
import type { Cell } from '../../src/page/state';
import type { MapRegion } from '../../src/tiles/grid';
import type { Size } from '../shared/useSize';
import styles from './MapMarks.module.css';

interface MapMarksProps {
  region: MapRegion;
  size: Size;
  cell: Cell | null;
  query: number | null;
}

/** What is drawn over the cells: needles, the chosen query, the cross-hair. */
export function MapMarks({ region, size, cell, query }: MapMarksProps) {
  const needles = usePageState('text')?.needles;
  const { width, height } = size;
  const perColumn = width / (region.columnEnd - region.columnStart);
  const perRow = height / (region.rowEnd - region.rowStart);
  const xOf = (column: number) => (column - region.columnStart) * perColumn;
  const yOf = (row: number) => (row - region.rowStart) * perRow;
  return (
    <svg className={styles.marks} width={width} height={height} aria-hidden="true">
      {needles
        ?.filter((needle) => needle.asked)
        .map(({ start, end }) => (
          <rect
            key={start}
            className={styles.needle}
            x={xOf(start)}
            y={height - 5}
            width={Math.max(2, (end - start) * perColumn)}
            height={5}
          />
        ))}
      {query !== null && (
        <rect
          className={styles.query}
          data-thin={perRow < 4 || undefined}
          x={xOf(0)}
          y={yOf(query)}
          width={Math.max(0, xOf(query + 1) - xOf(0))}
          height={perRow < 4 ? 1.5 : perRow}
        />
      )}
      {cell && (
        <g className={styles.cross}>
          <line x1={0} x2={width} y1={yOf(cell.query + 0.5)} y2={yOf(cell.query + 0.5)} />
          {cell.key !== null && <line x1={xOf(cell.key + 0.5)} x2={xOf(cell.key + 0.5)} y1={0} y2={height} />}
          {cell.key !== null && perColumn >= 6 && (
            <rect x={xOf(cell.key)} y={yOf(cell.query)} width={perColumn} height={perRow} />
          )}
        </g>
      )}
    </svg>
  );
}
