/** Rows brought into the order in which the kernels read them. */
import type { RowStarts } from '../panel';

/** Columns of a tile of the kernels. */
export const TILE_COLUMNS = 8;

/** Rows of a tile of the kernels. */
export const TILE_ROWS = 4;

export function roundUp(count: number, multiple: number): number {
  return Math.ceil(count / multiple) * multiple;
}

/**
 * Packs rows [from, from + count) by eight: of each eight, first all their first channels, then all their second ones. The
 * last row stands in for those missing in the last eight.
 */
export function packColumns(
  { data, starts }: RowStarts,
  from: number,
  count: number,
  channels: number,
  out: Float32Array,
  at: number,
): void {
  const last = from + count - 1;
  let to = at;
  for (let row = from; row <= last; row += TILE_COLUMNS) {
    const s0 = starts[row]!;
    const s1 = starts[Math.min(last, row + 1)]!;
    const s2 = starts[Math.min(last, row + 2)]!;
    const s3 = starts[Math.min(last, row + 3)]!;
    const s4 = starts[Math.min(last, row + 4)]!;
    const s5 = starts[Math.min(last, row + 5)]!;
    const s6 = starts[Math.min(last, row + 6)]!;
    const s7 = starts[Math.min(last, row + 7)]!;
    for (let c = 0; c < channels; c++) {
      out[to] = data[s0 + c]!;
      out[to + 1] = data[s1 + c]!;
      out[to + 2] = data[s2 + c]!;
      out[to + 3] = data[s3 + c]!;
      out[to + 4] = data[s4 + c]!;
      out[to + 5] = data[s5 + c]!;
      out[to + 6] = data[s6 + c]!;
      out[to + 7] = data[s7 + c]!;
      to += TILE_COLUMNS;
    }
  }
}
