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
