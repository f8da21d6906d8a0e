import { floatsOf } from '../../cpu/buffer';
import { PANEL_ROWS } from '../../cpu/panel';
import { weighHead } from '../../cpu/weights';
import { type AttentionWeightsArguments, checkAttentionWeights } from './op';

export function attentionWeights(a: AttentionWeightsArguments, weigh = weighHead): void {
  checkAttentionWeights(a);
  const { query, key } = a;
  const out = floatsOf(a.out);
  for (let head = 0; head < query.heads; head++) {
    const weights = weigh(a, head);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      weights.load(row, rows);
      for (let r = 0; r < rows; r++) {
        const start = (head * query.rows + row + r) * key.rows;
        const limit = weights.limits[r]!;
        out.set(weights.values.subarray(r * weights.stride, r * weights.stride + limit), start);
        out.fill(0, start + limit, start + key.rows);
      }
    }
  }
}
