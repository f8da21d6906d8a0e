import { floatsOf } from '../../cpu/buffer';
import { checkSparseQueries, type SparseQueriesArguments } from './op';

export function sparseQueries(a: SparseQueriesArguments): void {
  checkSparseQueries(a);
  const { query, groups, count, out } = a;
  const queryData = floatsOf(query.buffer);
  const outData = floatsOf(out.buffer);
  const { rows, channels } = query;
  const perGroup = groups === 0 ? 0 : query.heads / groups;
  const sums = new Float32Array(channels);
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < rows; row++) {
      const startOf = (h: number): number =>
        query.offset + (group * perGroup + h) * query.headStride + row * query.rowStride;
      sums.fill(0);
      for (let h = 0; h < perGroup; h++)
        for (let c = 0; c < channels; c++) sums[c]! += Math.abs(queryData[startOf(h) + c]!);
      const isKept = sums.map((sum, c) => {
        // Channels before this one in the order of sums.
        let rank = 0;
        for (let other = 0; other < channels; other++)
          if (sums[other]! > sum || (sums[other] === sum && other < c)) rank++;
        return rank < count ? 1 : 0;
      });
      for (let h = 0; h < perGroup; h++) {
        let all = 0;
        let kept = 0;
        for (let c = 0; c < channels; c++) {
          const size = Math.abs(queryData[startOf(h) + c]!);
          all += size;
          if (isKept[c] === 1) kept += size;
        }
        const factor = kept === 0 ? 0 : Math.sqrt(all / kept);
        const outStart = out.offset + (group * perGroup + h) * out.headStride + row * out.rowStride;
        for (let c = 0; c < channels; c++)
          outData[outStart + c] = isKept[c] === 1 ? factor * queryData[startOf(h) + c]! : 0;
      }
    }
  }
}
