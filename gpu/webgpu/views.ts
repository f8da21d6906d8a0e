import type { Rows } from '../rows';

/** Number of elements of a view. */
export function elementsOf(view: Rows): number {
  return view.heads * view.rows * view.channels;
}

/** The parameters that tell an element-wise kernel where its input and output lie. */
export function inputOutput(input: Rows, out: Rows) {
  return {
    heads: input.heads,
    rows: input.rows,
    channels: input.channels,
    inputOffset: input.offset,
    inputHeadStride: input.headStride,
    inputRowStride: input.rowStride,
    outOffset: out.offset,
    outHeadStride: out.headStride,
    outRowStride: out.rowStride,
  };
}

/** Whether the view's rows can be read as vectors of four floats. */
export function hasVectors(view: Rows): boolean {
  return (
    view.offset % 4 === 0 &&
    view.channels > 0 &&
    view.channels % 4 === 0 &&
    (view.rows < 2 || view.rowStride % 4 === 0) &&
    (view.heads < 2 || view.headStride % 4 === 0)
  );
}

/** The view with everything but its rows and heads counted in vectors of four floats; it must have them. */
export function inVectors(view: Rows): Rows {
  return {
    buffer: view.buffer,
    offset: view.offset / 4,
    heads: view.heads,
    rows: view.rows,
    channels: view.channels / 4,
    // Strides of a single row or head need not be whole, and are not used.
    rowStride: Math.floor(view.rowStride / 4),
    headStride: Math.floor(view.headStride / 4),
  };
}
