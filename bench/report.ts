/** The table of measurements: times, throughputs, and the two bounds that no kernel can beat. */
import type { Peak } from './peak';
import { type Column, headerLine, percent, tableLine, threeDigits } from './table';
import type { Measurement } from './timing';

const COLUMNS: readonly Column[] = [
  { title: 'kernel', width: 34, align: 'left' },
  { title: 'size', width: 40, align: 'left' },
  { title: 'ms', width: 9 },
  { title: 'ops ms', width: 10 },
  { title: 'bytes ms', width: 10 },
  { title: 'bound', width: 7 },
  { title: 'GFLOP/s', width: 9 },
  { title: 'of peak', width: 9 },
  { title: 'GB/s', width: 8 },
  { title: 'of peak', width: 9 },
];

/** What a measurement could be at best: operations at the arithmetic peak, bytes at the copy's rate, in milliseconds. */
export interface Bounds {
  readonly operationsMs: number;
  readonly bytesMs: number;
  /** Which of them is larger, and so binds. */
  readonly binding: 'ops' | 'bytes';
}

export function boundsOf({ flops, bytes }: Pick<Measurement, 'flops' | 'bytes'>, peak: Peak): Bounds {
  const operationsMs = (flops * 1000) / peak.flopsPerSecond;
  const bytesMs = (bytes * 1000) / peak.bytesPerSecond;
  return { operationsMs, bytesMs, binding: operationsMs >= bytesMs ? 'ops' : 'bytes' };
}

export function peakLine({ flopsPerSecond, bytesPerSecond }: Peak): string {
  return `peak measured here: ${giga(flopsPerSecond)} GFLOP/s (multiply-adds), ${giga(bytesPerSecond)} GB/s (copy)`;
}

export function measurementHeader(): string {
  return headerLine(COLUMNS);
}

/** A measurement against both peaks, if they are known. A dash stands where nothing is counted. */
export function measurementLine(measurement: Measurement, peak?: Peak): string {
  const { name, size, milliseconds, flops, bytes } = measurement;
  const bounds = peak && boundsOf(measurement, peak);
  const flopsPerSecond = (flops * 1000) / milliseconds;
  const bytesPerSecond = (bytes * 1000) / milliseconds;
  const shown = (isShown: boolean, text: () => string) => (isShown ? text() : '–');
  return tableLine(COLUMNS, [
    name,
    size,
    threeDigits(milliseconds),
    shown(flops > 0 && !!bounds, () => threeDigits(bounds!.operationsMs)),
    shown(bytes > 0 && !!bounds, () => threeDigits(bounds!.bytesMs)),
    shown(flops + bytes > 0 && !!bounds, () => bounds!.binding),
    shown(flops > 0, () => giga(flopsPerSecond)),
    shown(flops > 0 && !!peak, () => percent(flopsPerSecond / peak!.flopsPerSecond)),
    shown(bytes > 0, () => giga(bytesPerSecond)),
    shown(bytes > 0 && !!peak, () => percent(bytesPerSecond / peak!.bytesPerSecond)),
  ]);
}

function giga(perSecond: number): string {
  return threeDigits(perSecond / 1e9);
}
