import { floatsOf, integersOf } from '../../cpu/buffer';
import { type ArgmaxArguments, checkArgmax } from './op';

export function argmax(a: ArgmaxArguments): void {
  checkArgmax(a);
  const { input } = a;
  const data = floatsOf(input.buffer);
  const out = integersOf(a.out);
  for (let row = 0; row < input.rows; row++) {
    const start = input.offset + row * input.rowStride;
    let best = Number.NEGATIVE_INFINITY;
    let index = 0;
    for (let c = 0; c < input.channels; c++) {
      const x = data[start + c]!;
      if (x > best) {
        best = x;
        index = c;
      }
    }
    out[a.outOffset + row] = index;
  }
}
