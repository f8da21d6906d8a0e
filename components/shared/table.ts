/** A panel's numbers as rows; the same table is shown, copied, and read by screen readers. */
export interface Table {
  /** Column names, with units. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

/** Tab-separated, as spreadsheets take it; tabs and line ends inside cells become blanks. */
export function toTsv({ columns, rows }: Table): string {
  const line = (cells: readonly (string | number | null)[]) =>
    cells.map((cell) => String(cell ?? '').replace(/[\t\r\n]/g, ' ')).join('\t');
  return [line(columns), ...rows.map(line)].join('\n');
}
