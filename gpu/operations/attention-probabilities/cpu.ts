import { floatsOf } from '../../cpu/buffer';
import { PANEL_ROWS } from '../../cpu/panel';
import { probabilitiesOfHead } from '../../cpu/probabilities';
import { type AttentionProbabilitiesArguments, checkAttentionProbabilities } from './op';

export function attentionProbabilities(
  a: AttentionProbabilitiesArguments,
  ofHead = probabilitiesOfHead,
): void {
  checkAttentionProbabilities(a);
  const { query, key } = a;
  const out = floatsOf(a.out);
  for (let head = 0; head < query.heads; head++) {
    const probabilities = ofHead(a, head);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      probabilities.load(row, rows);
      for (let r = 0; r < rows; r++) {
        const start = (head * query.rows + row + r) * key.rows;
        const limit = probabilities.limits[r]!;
        out.set(
          probabilities.values.subarray(r * probabilities.stride, r * probabilities.stride + limit),
          start,
        );
        out.fill(0, start + limit, start + key.rows);
      }
    }
  }
}
