/** Only what is right is timed: comparisons with the CPU's numbers. */

/**
 * @param tolerance largest error, relative to the largest expected value
 * @throws if the numbers are not the expected ones, or not numbers
 */
export function checkOutput(
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  let largest = 0;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    largest = Math.max(largest, Math.abs(expected[i]!));
    error = Math.max(error, Math.abs(actual[i]! - expected[i]!));
  }
  // Also false for NaN.
  if (largest > 0 && error <= tolerance * largest) return;
  throw new Error(`${name} is wrong: off by ${error}, where the largest value is ${largest}`);
}

/** `count` different numbers below `length`, spread over all of it, its first and last included. */
export function sampledIndices(length: number, count: number): number[] {
  if (length <= count) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: count }, (_, i) => Math.round((i * (length - 1)) / (count - 1)));
}
