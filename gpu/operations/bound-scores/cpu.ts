import { LOWEST_SCORE } from '../../arguments';
import { floatsOf } from '../../cpu/buffer';
import type { Rows } from '../../rows';
import { type BoundScoresArguments, checkBoundScores } from './op';

export function boundScores(a: BoundScoresArguments): void {
  checkBoundScores(a);
  const { query, minimum, maximum, out, byQuery } = a;
  const queryData = floatsOf(query.buffer);
  const minima = floatsOf(minimum.buffer);
  const maxima = floatsOf(maximum.buffer);
  const outData = floatsOf(out.buffer);
  const perGroup = minimum.heads === 0 ? 0 : query.heads / minimum.heads;
  for (let head = 0; head < query.heads; head++) {
    const group = Math.floor(head / perGroup);
    for (let row = 0; row < query.rows; row++) {
      const queryStart = query.offset + head * query.headStride + row * query.rowStride;
      const outRow = byQuery ? row * query.heads + head : head * query.rows + row;
      const outStart = out.offset + outRow * out.rowStride;
      const tokens = byQuery ? byQuery.firstTokens + row : Number.POSITIVE_INFINITY;
      // Pages that the query sees all of.
      const pages = byQuery ? Math.floor(tokens / byQuery.pageLength) : minimum.rows;
      for (let page = 0; page < Math.min(pages, minimum.rows); page++) {
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
      if (!byQuery || pages >= minimum.rows) continue;
      outData.fill(LOWEST_SCORE, outStart + pages, outStart + minimum.rows);
      const first = pages * byQuery.pageLength;
      if (first < tokens) {
        outData[outStart + pages] = boundOf(queryData, queryStart, byQuery.key, group, first, tokens);
      }
    }
  }
}

/** The bound of keys [start, end). */
function boundOf(
  queryData: Float32Array,
  queryStart: number,
  key: Rows,
  group: number,
  start: number,
  end: number,
): number {
  const keys = floatsOf(key.buffer);
  let sum = 0;
  for (let c = 0; c < key.channels; c++) {
    const q = queryData[queryStart + c]!;
    let bound = Number.NaN;
    for (let token = start; token < end; token++) {
      const value = keys[key.offset + group * key.headStride + token * key.rowStride + c]!;
      bound = token === start ? value : q < 0 ? Math.min(bound, value) : Math.max(bound, value);
    }
    sum += q * bound;
  }
  return sum;
}
