/** Tables of plain text: the first columns to the left, numbers to the right. */
export interface Column {
  readonly title: string;
  readonly width: number;
  readonly align?: 'left' | 'right';
}

export function tableLine(columns: readonly Column[], cells: readonly string[]): string {
  return cells
    .map((cell, index) => {
      const { width, align } = columns[index]!;
      return align === 'left' ? cell.padEnd(width) : cell.padStart(width);
    })
    .join('')
    .trimEnd();
}

export function headerLine(columns: readonly Column[]): string {
  return tableLine(
    columns,
    columns.map(({ title }) => title),
  );
}

/** Three digits; with an exponent where many zeros would hide them. */
export function threeDigits(value: number): string {
  if (value > 0 && value < 1e-4) return value.toExponential(2);
  return value >= 100 && value < 1e6 ? value.toFixed(0) : value.toPrecision(3);
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
