import { useIsStale, usePage } from '../../src/page/hooks';
import type { MeasuredBy } from '../../src/page/measured';
import styles from './DataTable.module.css';
import { formatCount, formatScore } from './format';

import { provenanceRows } from './provenance';
import type { Table } from './table';

interface DataTableProps {
  table: Table;
  caption: string;
  by: MeasuredBy | null;
}

/** The text alternative of a chart, with the provenance of its numbers. */
export function DataTable({ table, caption, by }: DataTableProps) {
  const { findMethod } = usePage();
  const isStale = useIsStale(by);
  const facts = by ? provenanceRows(by, isStale, '', findMethod) : [];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region has to be reachable by keyboard
    <section className={styles.table} tabIndex={0} aria-label={caption}>
      <table>
        <caption>
          <div>
            {caption}
            {facts.length > 0 && (
              <small>
                {facts
                  .filter(([, value]) => value !== '')
                  .map(([name, value]) => `${name}: ${value}`)
                  .join(' · ')}
              </small>
            )}
          </div>
        </caption>
        <thead>
          <tr>
            {table.columns.map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((row, at) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity
            <tr key={at}>
              {row.map((cell, column) => (
                <td key={table.columns[column]}>{showCell(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function showCell(cell: string | number | null): string {
  if (cell === null) return '–';
  if (typeof cell === 'string') return cell;
  return Number.isInteger(cell) ? formatCount(cell) : formatScore(cell);
}
