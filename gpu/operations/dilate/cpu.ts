import { floatsOf } from '../../cpu/buffer';
import { checkDilate, type DilateArguments } from './op';

/** ESA Eq. 8. The largest entry of a sliding window, in linear time: a queue of the entries that can still win. */
export function dilate(a: DilateArguments): void {
  checkDilate(a);
  const { input, out, radius, firstLength = input.length } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const queue = new Int32Array(input.length);
  const values = new Float64Array(input.length);
  for (let row = 0; row < input.rows; row++) {
    const length = Math.min(input.length, firstLength + row);
    const outStart = out.offset + row * out.rowStride;
    outData.fill(Number.NEGATIVE_INFINITY, outStart + length, outStart + input.length);
    for (let j = 0; j < length; j++) {
      const x = inputData[input.offset + row * input.rowStride + j]!;
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
      outData[outStart + j] = values[queue[first]!]!;
    }
  }
}
