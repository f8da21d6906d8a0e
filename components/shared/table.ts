/** A panel's numbers as rows; the same table is shown, copied, and read by screen readers. */
export interface Table {
  /** Column names, with units. */
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

type Cell = string | number | null;
type Facts = readonly (readonly [name: string, value: string])[];

/** Tab-separated, as spreadsheets take it, with the provenance below the rows. Tabs and line ends inside cells become blanks. */
export function toTsv({ columns, rows }: Table, facts: Facts = []): string {
  const line = (cells: readonly Cell[]) => cells.map(tsvCell).join('\t');
  const below = facts.length === 0 ? [] : ['', ...facts.map(line)];
  return [line(columns), ...rows.map(line), ...below].join('\n');
}

export function toJson(table: Table, facts: Facts = []): string {
  return JSON.stringify({ ...Object.fromEntries(facts), ...table }, null, 1);
}

/**
 * A text that a spreadsheet would run as a formula gets an apostrophe, which makes it a text there as well. One with a quotation
 * mark is quoted, with its own marks doubled: a mark at the start would swallow the cells after it, or hide a formula.
 */
function tsvCell(cell: Cell): string {
  if (typeof cell !== 'string') return cell === null ? '' : String(cell);
  const isFormula = /^[\s\p{C}]*[=+\-@＝＋－＠]/u.test(cell) || /^[\t\r]/.test(cell);
  const text = cell.replace(/[\t\r\n\v\f\u0085\u2028\u2029]/g, ' ');
  const safe = isFormula ? `'${text}` : text;
  return safe.includes('"') ? `"${safe.replaceAll('"', '""')}"` : safe;
}
