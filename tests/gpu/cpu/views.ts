/**
 * Tensors laid out with gaps: before, between and behind the rows of a view lie guard values. Around inputs they are NaN,
 * so that reading one shows in the result; around outputs they are a number that must survive.
 */
import { expect } from 'vitest';
import type { Ops } from '../../../gpu/ops';
import type { Rows } from '../../../gpu/rows';
import { lcg } from '../../golden/lcg';

const GUARD = 12345;

export type Layout = 'head-major' | 'token-major';

export interface Shape {
  readonly heads: number;
  readonly rows: number;
  readonly channels: number;
}

/** Offset and strides with gaps everywhere. */
function gappedView(shape: Shape, layout: Layout): Omit<Rows, 'buffer'> & { length: number } {
  const { heads, rows, channels } = shape;
  const gap = 3;
  const inner = channels + gap;
  const headStride = layout === 'head-major' ? rows * inner + gap : inner;
  const rowStride = layout === 'head-major' ? inner : heads * inner + gap;
  return {
    ...shape,
    offset: 5,
    headStride,
    rowStride,
    length: 5 + heads * rows * inner + (heads + rows + 1) * gap,
  };
}

/** An input: values are dense [heads, rows, channels]. */
export function input(
  ops: Ops,
  shape: Shape,
  values: ArrayLike<number>,
  layout: Layout = 'head-major',
): Rows {
  return place(ops, shape, values, layout, Number.NaN);
}

/** An output, to be read by `take`. */
export function output(
  ops: Ops,
  shape: Shape,
  layout: Layout = 'head-major',
  initial?: ArrayLike<number>,
): Rows {
  const { heads, rows, channels } = shape;
  return place(ops, shape, initial ?? new Float32Array(heads * rows * channels).fill(GUARD), layout, GUARD);
}

function place(ops: Ops, shape: Shape, values: ArrayLike<number>, layout: Layout, guard: number): Rows {
  const { length, ...view } = gappedView(shape, layout);
  const data = new Float32Array(length).fill(guard);
  let i = 0;
  forEachElement(view, (at) => {
    data[at] = values[i++]!;
  });
  return { ...view, buffer: ops.upload(data, 'test') };
}

function forEachElement(view: Omit<Rows, 'buffer'>, visit: (at: number) => void): void {
  for (let h = 0; h < view.heads; h++) {
    for (let r = 0; r < view.rows; r++) {
      for (let c = 0; c < view.channels; c++)
        visit(view.offset + h * view.headStride + r * view.rowStride + c);
    }
  }
}

/** The dense values of a view made by `output`; the guards around them must be untouched. */
export async function take(ops: Ops, view: Rows): Promise<number[]> {
  const data = await ops.readFloats(view.buffer);
  const values: number[] = [];
  forEachElement(view, (at) => {
    values.push(data[at]!);
    data[at] = GUARD;
  });
  expect(data.every((x) => x === GUARD)).toBe(true);
  return values;
}

/** Seeded numbers in [−1, 1). */
export function numbers(seed: number, length: number): Float32Array {
  return Float32Array.from({ length }, lcg(seed));
}

/** Every entry within `tolerance` of the expected one; −∞ and NaN must be where they are expected. */
export function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const a = actual[i]!;
    const b = expected[i]!;
    if (Object.is(a, b) || a === b) continue;
    if (!(Math.abs(a - b) <= tolerance)) expect.fail(`entry ${i} is ${a}, expected ${b} within ${tolerance}`);
  }
}

/** Entries within `relative` of the largest finite one expected; −∞ and NaN where they are expected. */
export function expectNear(actual: readonly number[], expected: readonly number[], relative: number): void {
  expect(actual.length).toBe(expected.length);
  const largest = expected.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0);
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(Object.is(actual[i], expected[i]) || difference <= relative * largest))
      expect.fail(
        `entry ${i} is ${actual[i]}, the reference gives ${expected[i]}, the largest is ${largest}`,
      );
  }
}
