import { floatsOf } from '../../cpu/buffer';
import { type BoundScoresArguments, checkBoundScores } from './op';

export function boundScores(a: BoundScoresArguments): void {
  checkBoundScores(a);
  const { query, minimum, maximum, out } = a;
  const queryData = floatsOf(query.buffer);
  const minima = floatsOf(minimum.buffer);
  const maxima = floatsOf(maximum.buffer);
  const outData = floatsOf(out.buffer);
  const perGroup = minimum.heads === 0 ? 0 : query.heads / minimum.heads;
  for (let head = 0; head < query.heads; head++) {
    const group = Math.floor(head / perGroup);
    for (let row = 0; row < query.rows; row++) {
      const queryStart = query.offset + head * query.headStride + row * query.rowStride;
      const outStart = out.offset + (head * query.rows + row) * out.rowStride;
      for (let page = 0; page < minimum.rows; page++) {
        const minimumStart = minimum.offset + group * minimum.headStride + page * minimum.rowStride;
        const maximumStart = maximum.offset + group * maximum.headStride + page * maximum.rowStride;
        let sum = 0;
        for (let c = 0; c < query.channels; c++) {
          const q = queryData[queryStart + c]!;
          // The larger product, as no minimum is above its maximum.
          sum += q * (q < 0 ? minima[minimumStart + c]! : maxima[maximumStart + c]!);
        }
        outData[outStart + page] = sum;
      }
    }
  }
}
