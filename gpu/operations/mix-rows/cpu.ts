import { floatsOf } from '../../cpu/buffer';
import { checkMixRows, type MixRowsArguments } from './op';

export function mixRows(a: MixRowsArguments): void {
  checkMixRows(a);
  const { matrix, input, out, accumulate = false } = a;
  const matrixData = floatsOf(matrix.buffer);
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const { channels } = input;
  const sums = new Float64Array(channels);
  for (let head = 0; head < input.heads; head++) {
    const ofHead = Math.floor((head * matrix.heads) / input.heads);
    for (let row = 0; row < out.rows; row++) {
      const outStart = out.offset + head * out.headStride + row * out.rowStride;
      const matrixStart = matrix.offset + ofHead * matrix.headStride + row * matrix.rowStride;
      for (let c = 0; c < channels; c++) sums[c] = accumulate ? outData[outStart + c]! : 0;
      for (let t = 0; t < input.rows; t++) {
        const factor = matrixData[matrixStart + t]!;
        const inputStart = input.offset + head * input.headStride + t * input.rowStride;
        for (let c = 0; c < channels; c++) sums[c]! += factor * inputData[inputStart + c]!;
      }
      outData.set(sums, outStart);
    }
  }
}
