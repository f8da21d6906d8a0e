/**
 * The values that a slider steps through: one key more up to 64, at most 3 % above, so that an arrow key moves a budget finely
 * enough to tune it; round numbers are among them.
 */

const FINEST = 64;
const LARGEST_STEP = 0.03;
const ROUND_COUNT = 16;

/** Ascending, both ends included, and `value` too, wherever it is. `isOdd`: no even number among them, but 0 and `value`. */
export function countSteps(minimum: number, maximum: number, value: number, isOdd = false): number[] {
  const steps = new Set([minimum, maximum]);
  for (let count = minimum; count < maximum; count = nextCount(count)) steps.add(count);
  for (
    let round = 128;
    round < maximum;
    round += round < 512 ? ROUND_COUNT : 2 ** Math.floor(Math.log2(round)) / 4
  ) {
    if (round > minimum) steps.add(round);
  }
  const allowed = isOdd ? new Set([...steps].map(oddWithin)) : steps;
  if (value >= minimum && value <= maximum) allowed.add(value);
  return [...allowed].sort((a, b) => a - b);

  function oddWithin(count: number): number {
    if (count % 2 === 1 || count === 0) return count;
    return count < maximum ? count + 1 : count - 1;
  }
}

/** The next count above, or below. */
export function nextCount(count: number, direction: 1 | -1 = 1): number {
  return count + direction * Math.max(1, Math.floor(count < FINEST ? 1 : count * LARGEST_STEP));
}

/**
 * Percentages from 1 to 100 of a fraction's range, half steps below 10. `whole`: what the fraction is of, in keys; then also those
 * at which one key more stays, or 3 % more.
 */
export function fractionSteps(
  minimum: number,
  maximum: number,
  value: number,
  whole: number | null = null,
): number[] {
  const steps = new Set([minimum, maximum, value]);
  const range = maximum - minimum;
  for (let step = 1; step < 20; step++) steps.add(rounded(minimum + (range * step) / 200));
  for (let step = 10; step < 100; step++) steps.add(rounded(minimum + (range * step) / 100));
  if (whole !== null) {
    for (let count = 1; count < whole; count = nextCount(count)) steps.add(shortFraction(count, whole));
  }
  return [...steps].filter((step) => step >= minimum && step <= maximum).sort((a, b) => a - b);
}

/** The fraction with the fewest digits of which ⌊f·whole⌋ is the count. */
function shortFraction(count: number, whole: number): number {
  for (let digits = 2; digits < 12; digits++) {
    const fraction = Math.ceil((count / whole) * 10 ** digits) / 10 ** digits;
    if (Math.floor(fraction * whole) === count) return fraction;
  }
  return count / whole;
}

function rounded(value: number): number {
  return Number(value.toPrecision(12));
}
