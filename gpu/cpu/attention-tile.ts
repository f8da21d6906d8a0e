/** One head's attention map, pooled to pixels. */
import type { Arguments } from '../validate';
import { checkAttentionTile } from '../validate';
import { floatsOf } from './buffer';
import { PANEL_ROWS } from './panel';
import { type HeadWeights, weighHead } from './weights';

export function attentionTile(a: Arguments<'attentionTile'>, weigh = weighHead): void {
  checkAttentionTile(a);
  const { query, key, width, height, rowStep, outOffset } = a;
  const maximumData = floatsOf(a.maximum);
  const meanData = floatsOf(a.mean);
  const weights = weigh(a, 0);
  const maximum = new Float64Array(width);
  const sum = new Float64Array(width);
  const cells = new Float64Array(width);
  let loadedRow = -1;
  let loadedRows = 0;
  for (let y = 0; y < height; y++) {
    const end = Math.ceil(((y + 1) * query.rows) / height);
    maximum.fill(0);
    sum.fill(0);
    cells.fill(0);
    for (let row = Math.floor((y * query.rows) / height); row < end; row += PANEL_ROWS * rowStep) {
      const rows = Math.min(PANEL_ROWS, Math.ceil((end - row) / rowStep));
      // Where a query row is taller than a pixel, the next pixel often wants what is there.
      if (row !== loadedRow || rows > loadedRows) {
        weights.load(row, rows, rowStep);
        loadedRow = row;
        loadedRows = rows;
      }
      for (let r = 0; r < rows; r++) {
        const start = r * weights.stride;
        poolRow(weights.values, start, weights.limits[r]!, key.rows, width, maximum, sum, cells);
      }
    }
    for (let x = 0; x < width; x++) {
      maximumData[outOffset + y * width + x] = maximum[x]!;
      meanData[outOffset + y * width + x] = cells[x]! > 0 ? sum[x]! / cells[x]! : 0;
    }
  }
}

/** Adds one row of weights to the pixels it crosses; those beyond the causal limit are not touched. */
function poolRow(
  panel: HeadWeights['values'],
  start: number,
  limit: number,
  keyRows: number,
  width: number,
  maximum: Float64Array,
  sum: Float64Array,
  cells: Float64Array,
): void {
  for (let x = 0; x < width; x++) {
    const first = Math.floor((x * keyRows) / width);
    if (first >= limit) return;
    const end = Math.min(limit, Math.ceil(((x + 1) * keyRows) / width));
    for (let t = first; t < end; t++) {
      const weight = panel[start + t]!;
      sum[x]! += weight;
      if (weight > maximum[x]!) maximum[x] = weight;
    }
    cells[x]! += end - first;
  }
}
