import { floatsOf } from '../../cpu/buffer';
import { checkSumHeads, type SumHeadsArguments } from './op';

export function sumHeads(a: SumHeadsArguments): void {
  checkSumHeads(a);
  const { input, out, factor = 1, accumulate = false } = a;
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
        outData[to + c] = accumulate ? outData[to + c]! + factor * sum : factor * sum;
      }
    }
  }
}
