import { LOWEST_SCORE } from '../../arguments';
import { floatsOf } from '../../cpu/buffer';
import { largest } from '../../cpu/exponentials';
import { PANEL_ROWS, Panel, rowStarts } from '../../cpu/panel';
import { checkEsaImportanceByQuery, type EsaImportanceByQueryArguments } from './op';

/** ESA Eq. 4 for queries that are each a block of one: every row of the score matrix less its largest entry. */
export function esaImportanceByQuery(a: EsaImportanceByQueryArguments): void {
  checkEsaImportanceByQuery(a);
  const { query, key } = a;
  const count = key.rows;
  const queryData = floatsOf(query.buffer);
  const keys = { data: floatsOf(key.buffer), starts: rowStarts(key, 0) };
  const panel = new Panel(query.channels, count);
  for (let row = 0; row < query.rows; row += PANEL_ROWS) {
    const rows = Math.min(PANEL_ROWS, query.rows - row);
    const start = query.offset + row * query.rowStride;
    panel.fill(queryData, start, query.rowStride, rows, keys, count, 1);
    for (let r = 0; r < rows; r++) putRelative(a, row + r, panel.values, r * count);
  }
}

/** Puts the scores from `at` on into row `row` of the result, less the largest of those that the query sees. */
export function putRelative(
  { key, firstLength, out }: EsaImportanceByQueryArguments,
  row: number,
  scores: Float64Array,
  at: number,
): void {
  const data = floatsOf(out.buffer);
  const start = out.offset + row * out.rowStride;
  const seen = Math.min(key.rows, firstLength + row);
  const best = largest(scores, at, seen);
  for (let m = 0; m < seen; m++) data[start + m] = scores[at + m]! - best;
  data.fill(LOWEST_SCORE, start + seen, start + key.rows);
}
