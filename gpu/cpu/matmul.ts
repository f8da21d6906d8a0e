/** Linear layers: out = input · weightᵀ + bias. */
import type { Arguments } from '../validate';
import { checkMatmul } from '../validate';
import { floatsOf } from './buffer';
import { fillPanel, PANEL_ROWS, rowStarts } from './panel';

/** Weight elements taken at a time: as many as stay in the second-level cache while all input rows pass. */
const BLOCK_ELEMENTS = 1 << 15;

export function matmul(a: Arguments<'matmul'>): void {
  checkMatmul(a);
  const { input, weight, out, accumulate = false } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const bias = a.bias && floatsOf(a.bias);
  const right = { data: floatsOf(weight.buffer), starts: rowStarts(weight, 0) };
  const channels = input.channels;
  const columns = weight.rows;
  const packed = new Float64Array(PANEL_ROWS * channels);
  const panel = new Float64Array(PANEL_ROWS * columns);
  const block = Math.max(16, 4 * Math.floor(BLOCK_ELEMENTS / Math.max(1, channels) / 4));
  for (let from = 0; from < columns; from += block) {
    const to = Math.min(columns, from + block);
    for (let row = 0; row < input.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, input.rows - row);
      const inputStart = input.offset + row * input.rowStride;
      fillPanel(
        inputData,
        inputStart,
        input.rowStride,
        rows,
        right,
        from,
        to,
        channels,
        1,
        packed,
        panel,
        columns,
      );
      for (let r = 0; r < rows; r++) {
        const outStart = out.offset + (row + r) * out.rowStride;
        for (let column = from; column < to; column++) {
          let sum = panel[r * columns + column]!;
          if (bias) sum += bias[column]!;
          if (accumulate) sum += outData[outStart + column]!;
          outData[outStart + column] = sum;
        }
      }
    }
  }
}
