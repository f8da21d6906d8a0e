import { floatsOf } from '../../cpu/buffer';
import { checkPool, type PoolArguments } from './op';

export function pool(a: PoolArguments): void {
  checkPool(a);
  const { input, out, firstLength = input.length } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const poolRow = a.kind === 'max' ? createMaximum(input.length) : poolMeans;
  for (let row = 0; row < input.rows; row++) {
    const length = Math.min(input.length, firstLength + row);
    const inputStart = input.offset + row * input.rowStride;
    const outStart = out.offset + row * out.rowStride;
    poolRow(inputData, inputStart, length, a.width, outData, outStart);
    outData.fill(Number.NEGATIVE_INFINITY, outStart + length, outStart + input.length);
  }
}

type PoolRow = (
  input: Float32Array,
  inputStart: number,
  length: number,
  width: number,
  out: Float32Array,
  outStart: number,
) => void;

/** Each window is summed up anew: a sum that slides would carry its rounding, and infinities, along. */
const poolMeans: PoolRow = (input, inputStart, length, width, out, outStart) => {
  const radius = (width - 1) / 2;
  for (let j = 0; j < length; j++) {
    let sum = 0;
    const end = Math.min(length, j + radius + 1);
    for (let w = Math.max(0, j - radius); w < end; w++) sum += input[inputStart + w]!;
    out[outStart + j] = sum / width;
  }
};

/** In linear time: a queue of the entries that can still win. */
function createMaximum(longest: number): PoolRow {
  const queue = new Int32Array(longest);
  const values = new Float64Array(longest);
  return (input, inputStart, length, width, out, outStart) => {
    const radius = (width - 1) / 2;
    for (let j = 0; j < length; j++) {
      const x = input[inputStart + j]!;
      values[j] = Number.isNaN(x) ? Number.NEGATIVE_INFINITY : x;
    }
    let first = 0;
    let last = 0;
    let next = 0;
    for (let j = 0; j < length; j++) {
      for (const end = Math.min(length, j + radius + 1); next < end; next++) {
        while (last > first && values[queue[last - 1]!]! <= values[next]!) last--;
        queue[last++] = next;
      }
      while (queue[first]! < j - radius) first++;
      out[outStart + j] = values[queue[first]!]!;
    }
  };
}
