/** Whether an output lies on an input. */
import type { Rows } from '../rows';
import { endOfRows } from '../rows';
import { fail } from './views';

/** Whether two views share an element. */
export function viewsOverlap(a: Rows, b: Rows): boolean {
  if (a.buffer !== b.buffer) return false;
  const endA = endOfRows(a);
  const endB = endOfRows(b);
  if (endA === 0 || endB === 0 || endA <= b.offset || endB <= a.offset) return false;
  // Their extents meet, as those of column ranges of one matrix do: compare row by row.
  const starts = rowStarts(b);
  for (const start of rowStarts(a)) {
    // The first row of b that ends behind this row's start is the only one that can be decisive.
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle]! + b.channels > start) high = middle;
      else low = middle + 1;
    }
    if (low < starts.length && starts[low]! < start + a.channels) return true;
  }
  return false;
}

/** Start of every row, ascending. */
function rowStarts(view: Rows): Float64Array {
  const starts = new Float64Array(view.heads * view.rows);
  let at = 0;
  for (let head = 0; head < view.heads; head++) {
    for (let row = 0; row < view.rows; row++) {
      starts[at++] = view.offset + head * view.headStride + row * view.rowStride;
    }
  }
  return starts.sort();
}

/** The same elements in the same order. */
function sameView(a: Rows, b: Rows): boolean {
  return (
    a.buffer === b.buffer &&
    a.offset === b.offset &&
    (a.rows <= 1 || a.rowStride === b.rowStride) &&
    (a.heads <= 1 || a.headStride === b.headStride)
  );
}

/** The output must not touch the input. */
export function checkApart(operation: string, output: string, out: Rows, input: string, view: Rows): void {
  if (viewsOverlap(out, view)) fail(operation, `${output} must not overlap ${input} (${view.buffer.label})`);
}

/** The output is the input itself or does not touch it; shapes are equal. */
export function checkSameOrApart(
  operation: string,
  output: string,
  out: Rows,
  input: string,
  view: Rows,
): void {
  if (!sameView(out, view) && viewsOverlap(out, view)) {
    fail(operation, `${output} must be ${input} itself or not overlap it (${view.buffer.label})`);
  }
}
