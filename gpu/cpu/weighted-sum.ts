/** Weighted sums of value rows: the second half of attention. */
import type { RowStarts } from './panel';
import { PANEL_ROWS } from './panel';

/**
 * sums[r · channels + c] += Σ_{t < limits[r]} weights[r · stride + t] · value row t, channel c, for r < rows. Limits
 * ascend. Values beyond a limit are not read, so what lies there cannot matter.
 */
export function addWeightedRows(
  weights: Float64Array,
  stride: number,
  rows: number,
  limits: Int32Array,
  values: RowStarts,
  channels: number,
  sums: Float64Array,
): void {
  for (let r = 0; r < Math.min(rows, PANEL_ROWS); r++) {
    for (let t = 0; t < limits[r]!; t++) {
      const weight = weights[r * stride + t]!;
      const start = values.starts[t]!;
      for (let c = 0; c < channels; c++)
        sums[r * channels + c] = sums[r * channels + c]! + weight * values.data[start + c]!;
    }
  }
}
