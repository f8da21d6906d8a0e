import { dataOf } from '../../cpu/buffer';
import { type CopyRowsArguments, checkCopyRows } from './op';

export function copyRows(a: CopyRowsArguments): void {
  checkCopyRows(a);
  const { input, out } = a;
  const inputData = dataOf(input.buffer);
  const outData = dataOf(out.buffer);
  for (let head = 0; head < input.heads; head++) {
    for (let row = 0; row < input.rows; row++) {
      const from = input.offset + head * input.headStride + row * input.rowStride;
      const to = out.offset + head * out.headStride + row * out.rowStride;
      for (let c = 0; c < input.channels; c++) outData[to + c] = inputData[from + c]!;
    }
  }
}
