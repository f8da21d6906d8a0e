/** Linear layers through the WebAssembly kernels. */
import { floatRows, floatsOf } from '../../cpu/buffer';
import type { SimdKernels } from '../../cpu/simd/instance';
import { packColumns, roundUp, TILE_COLUMNS, TILE_ROWS } from '../../cpu/simd/pack';
import { type matmul, multiplyHead } from './cpu';
import { checkMatmul, type MatmulArguments, productsOf } from './op';

/** For one row, as in decoding, packing the weights costs what it saves. */
const FEWEST_ROWS = 2;

/** Above, a block of weights would need more memory than is worth holding. */
const MOST_CHANNELS = 1 << 15;

/** Weight elements, and input elements, taken at a time: what stays in the second-level cache. */
const BLOCK_ELEMENTS = 1 << 16;

/** Channels summed up in one go: in single precision, sums of sums are closer than long sums. */
const BLOCK_CHANNELS = 256;

/** The reference's `matmul`, with sums in single precision. */
export function createSimdMatmul(kernels: SimdKernels): typeof matmul {
  const multiply = (a: MatmulArguments): void => {
    const { input, weight } = a;
    const { rows, channels } = input;
    if (rows < FEWEST_ROWS || channels === 0 || channels > MOST_CHANNELS || weight.rows === 0) {
      multiplyHead(a);
      return;
    }
    const inputData = floatsOf(input.buffer);
    const blockRows = blockOf(BLOCK_ELEMENTS, channels, TILE_ROWS, rows);
    const blockColumns = blockOf(BLOCK_ELEMENTS, channels, TILE_COLUMNS, weight.rows);
    const weightAt = blockRows * channels;
    const outAt = weightAt + blockColumns * channels;
    const memory = kernels.floats(outAt + blockRows * blockColumns);
    for (let column = 0; column < weight.rows; column += blockColumns) {
      const columns = Math.min(blockColumns, weight.rows - column);
      packColumns(floatRows(weight, 0, column, columns), 0, columns, channels, memory, weightAt);
      for (let row = 0; row < rows; row += blockRows) {
        const count = Math.min(blockRows, rows - row);
        for (let r = 0; r < count; r++) {
          const start = input.offset + (row + r) * input.rowStride;
          memory.set(inputData.subarray(start, start + channels), r * channels);
        }
        multiplyBlock(kernels, count, columns, channels, weightAt, outAt, blockColumns);
        addBlock(a, memory, outAt, blockColumns, row, count, column, columns);
      }
    }
  };
  return (a) => {
    checkMatmul(a);
    for (const product of productsOf(a)) multiply(product);
  };
}

/** Rows of `channels` that `elements` hold, a multiple of `tile` and no more than needed. */
function blockOf(elements: number, channels: number, tile: number, needed: number): number {
  const fitting = Math.max(tile, Math.floor(elements / channels / tile) * tile);
  return Math.min(fitting, roundUp(needed, tile));
}

/** Input rows from address 0 times the packed weights, into rows of `stride` floats at `outAt`. */
function multiplyBlock(
  { run }: SimdKernels,
  rows: number,
  columns: number,
  channels: number,
  weightAt: number,
  outAt: number,
  stride: number,
): void {
  const tiles = Math.ceil(rows / TILE_ROWS);
  for (let column = 0; column < columns; column += TILE_COLUMNS) {
    for (let channel = 0; channel < channels; channel += BLOCK_CHANNELS) {
      run.multiply(
        4 * channel,
        4 * channels,
        tiles,
        4 * (weightAt + column * channels + channel * TILE_COLUMNS),
        Math.min(BLOCK_CHANNELS, channels - channel),
        4 * (outAt + column),
        4 * stride,
        channel === 0 ? 0 : 1,
      );
    }
  }
}

/** Writes a block of products where they belong, with what is to be added to them. */
function addBlock(
  { bias, out, accumulate = false }: MatmulArguments,
  products: Float32Array,
  productsAt: number,
  stride: number,
  row: number,
  rows: number,
  column: number,
  columns: number,
): void {
  const outData = floatsOf(out.buffer);
  const biasData = bias && floatsOf(bias);
  for (let r = 0; r < rows; r++) {
    const from = productsAt + r * stride;
    const to = out.offset + (row + r) * out.rowStride + column;
    if (!biasData && !accumulate) {
      outData.set(products.subarray(from, from + columns), to);
      continue;
    }
    for (let j = 0; j < columns; j++) {
      let sum = products[from + j]!;
      if (biasData) sum += biasData[column + j]!;
      if (accumulate) sum += outData[to + j]!;
      outData[to + j] = sum;
    }
  }
}
