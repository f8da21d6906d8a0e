import { expect } from 'vitest';
import type { KeyholeState } from '../../src/page/contract';

/** Everything but what may differ between equal links (docs/contracts.md, "Link"), numbers aside. */
export function comparable({ timing: _timing, origin: _origin, ...state }: KeyholeState): object {
  const measurements = state.measurements && {
    ...state.measurements,
    freeRun: state.measurements.freeRun && {
      ...state.measurements.freeRun,
      time: null,
    },
    // Answers of the points are run afterwards, one by one.
    sweep:
      state.measurements.sweep?.map((curve) => ({
        ...curve,
        points: curve.points.map(({ right: _right, ...point }) => point),
      })) ?? null,
  };
  return { ...state, measurements };
}

/** Same structure, and numbers within 1e-5. */
export function expectEqual(actual: unknown, expected: unknown, path: string): void {
  if (typeof expected === 'number' && typeof actual === 'number') {
    expect(Math.abs(actual - expected), path).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(expected)));
  } else if (expected !== null && typeof expected === 'object') {
    expect(actual !== null && typeof actual === 'object', path).toBe(true);
    expect(Object.keys(actual as object).sort(), path).toEqual(Object.keys(expected).sort());
    for (const [key, value] of Object.entries(expected)) {
      expectEqual((actual as Record<string, unknown>)[key], value, `${path}.${key}`);
    }
  } else {
    expect(actual, path).toBe(expected);
  }
}
