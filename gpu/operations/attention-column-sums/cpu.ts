import type { WeightInputs } from '../../arguments';
import { CpuBuffer, floatsOf } from '../../cpu/buffer';
import { PANEL_ROWS } from '../../cpu/panel';
import { type HeadWeights, weighHead } from '../../cpu/weights';
import { type AttentionColumnSumsArguments, checkAttentionColumnSums } from './op';

export function attentionColumnSums(a: AttentionColumnSumsArguments, weigh = weighHead): void {
  checkAttentionColumnSums(a);
  const { key, out } = a;
  const inputs = headsAsRows(a);
  const { query } = inputs;
  const outData = floatsOf(out.buffer);
  const perGroup = key.heads === 0 ? 0 : query.heads / key.heads;
  for (let group = 0; group < key.heads; group++) {
    const sums = new Float64Array(key.rows);
    for (let head = group * perGroup; head < (group + 1) * perGroup; head++) {
      const weights = weigh(inputs, head);
      for (let row = 0; row < query.rows; row += PANEL_ROWS) {
        const rows = Math.min(PANEL_ROWS, query.rows - row);
        weights.load(row, rows);
        for (let r = 0; r < rows; r++) addTo(sums, weights.values, r * weights.stride, weights.limits[r]!);
      }
    }
    outData.set(sums, out.offset + group * out.rowStride);
  }
}

/** One query that sees every key: the heads of a group, which share their keys, are as good as rows of one head. */
function headsAsRows(a: WeightInputs): WeightInputs {
  const { query, key, logSumExp, causalOffset } = a;
  if (query.rows !== 1 || key.heads === 0 || causalOffset + 1 < key.rows || a.window !== undefined) return a;
  const rows = query.heads / key.heads;
  const buffer = new CpuBuffer('f32', query.heads, 'log-sum-exp of heads');
  const [from, to] = [floatsOf(logSumExp.buffer), floatsOf(buffer)];
  for (let head = 0; head < query.heads; head++)
    to[head] = from[logSumExp.offset + head * logSumExp.headStride]!;
  return {
    ...a,
    query: {
      ...{ ...query, heads: key.heads, rows },
      ...{ headStride: rows * query.headStride, rowStride: query.headStride },
    },
    logSumExp: { buffer, offset: 0, headStride: rows },
  };
}

function addTo(sums: Float64Array, panel: HeadWeights['values'], start: number, count: number): void {
  for (let t = 0; t < count; t++) sums[t]! += panel[start + t]!;
}
