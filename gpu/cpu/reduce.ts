/** Reductions over channels and heads. */
import type { Arguments } from '../validate';
import { checkArgmax, checkSumHeads } from '../validate';
import { floatsOf, integersOf } from './buffer';

export function argmax(a: Arguments<'argmax'>): void {
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

export function sumHeads(a: Arguments<'sumHeads'>): void {
  checkSumHeads(a);
  const { input, out, factor = 1 } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const perGroup = out.heads === 0 ? 0 : input.heads / out.heads;
  for (let group = 0; group < out.heads; group++) {
    for (let row = 0; row < out.rows; row++) {
      const from = input.offset + group * perGroup * input.headStride + row * input.rowStride;
      const to = out.offset + group * out.headStride + row * out.rowStride;
      for (let c = 0; c < out.channels; c++) {
        let sum = 0;
        for (let h = 0; h < perGroup; h++) sum += inputData[from + h * input.headStride + c]!;
        outData[to + c] = factor * sum;
      }
    }
  }
}
