/** The merge of attention over disjoint keys. */
import { floatsOf } from '../../cpu/buffer';
import { checkMergeAttention, type MergeAttentionArguments } from './op';

/** ESA (arXiv 2502.14477), appendix G, algorithm 1, with the maximum subtracted. */
export function mergeAttention(a: MergeAttentionArguments): void {
  checkMergeAttention(a);
  const { into, from } = a;
  const intoData = floatsOf(into.out.buffer);
  const fromData = floatsOf(from.out.buffer);
  const intoLse = floatsOf(into.logSumExp.buffer);
  const fromLse = floatsOf(from.logSumExp.buffer);
  for (let head = 0; head < into.out.heads; head++) {
    for (let row = 0; row < into.out.rows; row++) {
      const lseAt = into.logSumExp.offset + head * into.logSumExp.headStride + row;
      const lseInto = intoLse[lseAt]!;
      const lseFrom = fromLse[from.logSumExp.offset + head * from.logSumExp.headStride + row]!;
      if (lseFrom === Number.NEGATIVE_INFINITY) continue;
      const maximum = Math.max(lseInto, lseFrom);
      const weightInto = Math.exp(lseInto - maximum);
      const weightFrom = Math.exp(lseFrom - maximum);
      const sum = weightInto + weightFrom;
      const intoStart = into.out.offset + head * into.out.headStride + row * into.out.rowStride;
      const fromStart = from.out.offset + head * from.out.headStride + row * from.out.rowStride;
      for (let c = 0; c < into.out.channels; c++) {
        intoData[intoStart + c] =
          (weightInto * intoData[intoStart + c]! + weightFrom * fromData[fromStart + c]!) / sum;
      }
      intoLse[lseAt] = maximum + Math.log(sum);
    }
  }
}
