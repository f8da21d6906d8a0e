/** Root-mean-square and layer normalisation. */
import { floatsOf } from '../../cpu/buffer';
import { checkNormalize, type NormalizeArguments } from './op';

/** RMSNorm (arXiv 1910.07467) and LayerNorm (arXiv 1607.06450, biased variance), each row over its channels. */
export function normalize(a: NormalizeArguments): void {
  checkNormalize(a);
  const { input, out, epsilon } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const weight = floatsOf(a.weight);
  const bias = a.bias && floatsOf(a.bias);
  const centred = a.kind === 'layer';
  const channels = input.channels;
  for (let head = 0; head < input.heads; head++) {
    for (let row = 0; row < input.rows; row++) {
      const from = input.offset + head * input.headStride + row * input.rowStride;
      const to = out.offset + head * out.headStride + row * out.rowStride;
      let mean = 0;
      if (centred) {
        for (let c = 0; c < channels; c++) mean += inputData[from + c]!;
        mean /= channels;
      }
      let squares = 0;
      for (let c = 0; c < channels; c++) {
        const difference = inputData[from + c]! - mean;
        squares += difference * difference;
      }
      const factor = 1 / Math.sqrt(squares / channels + epsilon);
      for (let c = 0; c < channels; c++) {
        const scaled = (inputData[from + c]! - mean) * factor * weight[c]!;
        outData[to + c] = bias ? scaled + bias[c]! : scaled;
      }
    }
  }
}
