import { floatsOf, integersOf } from '../../cpu/buffer';
import { checkListAbove, type ListAboveArguments } from './op';

export function listAbove(a: ListAboveArguments): void {
  checkListAbove(a);
  const { score, out } = a;
  const threshold = Math.fround(a.threshold);
  const scores = floatsOf(score.buffer);
  const outData = integersOf(out.buffer);
  for (let row = 0; row < score.rows; row++) {
    const from = score.offset + row * score.rowStride;
    const start = out.offset + row * out.rowStride;
    let at = start;
    for (let i = 0; i < score.length; i++) if (scores[from + i]! > threshold) outData[at++] = i;
    outData[out.countsOffset! + row] = at - start;
  }
}
