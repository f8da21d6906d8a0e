import type { Peak } from './peak';
import type { Measurement } from './timing';

const COLUMNS = [
  { title: 'kernel', width: 26 },
  { title: 'size', width: 38 },
  { title: 'ms', width: 10 },
  { title: 'GFLOP/s', width: 10 },
  { title: 'of peak', width: 9 },
  { title: 'GB/s', width: 9 },
  { title: 'of peak', width: 9 },
] as const;

export function peakLine({ flopsPerSecond, bytesPerSecond }: Peak): string {
  return `peak measured here: ${giga(flopsPerSecond)} GFLOP/s (multiply-adds), ${giga(bytesPerSecond)} GB/s (copy)`;
}

export function headerLine(): string {
  return line(COLUMNS.map(({ title }) => title));
}

/** A measurement against both peaks, if they are known: a kernel is bound by the one it comes nearer to. */
export function measurementLine(
  { name, size, milliseconds, flops, bytes }: Measurement,
  peak?: Peak,
): string {
  const flopsPerSecond = (flops * 1000) / milliseconds;
  const bytesPerSecond = (bytes * 1000) / milliseconds;
  return line([
    name,
    size,
    milliseconds.toPrecision(3),
    flops > 0 ? giga(flopsPerSecond) : '–',
    flops > 0 && peak ? percent(flopsPerSecond / peak.flopsPerSecond) : '–',
    bytes > 0 ? giga(bytesPerSecond) : '–',
    bytes > 0 && peak ? percent(bytesPerSecond / peak.bytesPerSecond) : '–',
  ]);
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, column) => {
      const { width } = COLUMNS[column]!;
      return column < 2 ? cell.padEnd(width) : cell.padStart(width);
    })
    .join('')
    .trimEnd();
}

function giga(perSecond: number): string {
  const value = perSecond / 1e9;
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
