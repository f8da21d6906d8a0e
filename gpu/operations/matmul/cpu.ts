/** Linear layers, and products per head: out = input · weightᵀ + bias. */
import { floatRows, floatsOf } from '../../cpu/buffer';
import { PANEL_ROWS, Panel } from '../../cpu/panel';
import { checkMatmul, type MatmulArguments, productsOf } from './op';

/** Weight elements taken at a time: as many as stay in the second-level cache while all input rows pass. */
const BLOCK_ELEMENTS = 1 << 16;

/** Weight rows taken at a time at least: fewer would not pay for preparing the input rows. */
const SMALLEST_BLOCK = 32;

export function matmul(a: MatmulArguments): void {
  checkMatmul(a);
  for (const product of productsOf(a)) multiplyHead(product);
}

/** A product of one head. */
export function multiplyHead(a: MatmulArguments): void {
  const { input, weight, out, accumulate = false } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const bias = a.bias && floatsOf(a.bias);
  const channels = input.channels;
  const columns = weight.rows;
  const block = Math.min(
    columns,
    Math.max(SMALLEST_BLOCK, Math.floor(BLOCK_ELEMENTS / Math.max(1, channels))),
  );
  const panel = new Panel(channels, block);
  for (let from = 0; from < columns; from += block) {
    const count = Math.min(block, columns - from);
    const right = floatRows(weight, 0, from, count);
    for (let row = 0; row < input.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, input.rows - row);
      panel.fill(inputData, input.offset + row * input.rowStride, input.rowStride, rows, right, count, 1);
      for (let r = 0; r < rows; r++) {
        const outStart = out.offset + (row + r) * out.rowStride + from;
        const panelStart = r * panel.stride;
        for (let j = 0; j < count; j++) {
          let sum = panel.values[panelStart + j]!;
          if (bias) sum += bias[from + j]!;
          if (accumulate) sum += outData[outStart + j]!;
          outData[outStart + j] = sum;
        }
      }
    }
  }
}
