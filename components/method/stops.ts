/** Where a count's slider can stand: dense for small numbers, in multiples of 16 for large ones, so that it moves by ratio. */

/** Ascending, both ends included, and `value` too, wherever it is. */
export function countStops(minimum: number, maximum: number, value: number): number[] {
  const stops = new Set([minimum, maximum]);
  for (let stop = minimum; stop < maximum; stop = nextStop(stop)) stops.add(stop);
  if (value >= minimum && value <= maximum) stops.add(value);
  return [...stops].sort((a, b) => a - b);
}

function nextStop(stop: number): number {
  if (stop < 16) return stop + 1;
  if (stop < 64) return Math.floor(stop / 4) * 4 + 4;
  if (stop < 256) return Math.floor(stop / 16) * 16 + 16;
  // From here on about a sixteenth a step.
  const step = 2 ** Math.floor(Math.log2(stop / 16));
  return Math.floor(stop / step) * step + step;
}

/** Percentages from 1 to 100 of a fraction's range: half steps below 10. */
export function fractionStops(minimum: number, maximum: number, value: number): number[] {
  const stops = new Set([minimum, maximum, value]);
  const range = maximum - minimum;
  for (let step = 1; step < 20; step++) stops.add(rounded(minimum + (range * step) / 200));
  for (let step = 10; step < 100; step++) stops.add(rounded(minimum + (range * step) / 100));
  return [...stops].filter((stop) => stop >= minimum && stop <= maximum).sort((a, b) => a - b);
}

function rounded(value: number): number {
  return Number(value.toPrecision(12));
}
