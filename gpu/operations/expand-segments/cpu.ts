import { floatsOf } from '../../cpu/buffer';
import { checkExpandSegments, type ExpandSegmentsArguments } from './op';

export function expandSegments(a: ExpandSegmentsArguments): void {
  checkExpandSegments(a);
  const { input, segmentLength, out } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  for (let row = 0; row < out.rows; row++) {
    const outStart = out.offset + row * out.rowStride;
    for (let segment = 0; segment < input.length; segment++) {
      const value = inputData[input.offset + row * input.rowStride + segment]!;
      const end = Math.min(out.length, (segment + 1) * segmentLength);
      outData.fill(value, outStart + segment * segmentLength, outStart + end);
    }
  }
}
