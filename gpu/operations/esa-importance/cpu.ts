import { floatsOf } from '../../cpu/buffer';
import { largest } from '../../cpu/exponentials';
import { PANEL_ROWS, Panel, rowStarts } from '../../cpu/panel';
import { checkEsaImportance, type EsaImportanceArguments } from './op';

/** ESA (arXiv 2502.14477) Eq. 4, a few queries at a time: of the score matrix only their rows are held. */
export function esaImportance(a: EsaImportanceArguments): void {
  checkEsaImportance(a);
  const { query, key } = a;
  const count = key.rows;
  const out = floatsOf(a.out);
  const queryData = floatsOf(query.buffer);
  const keys = { data: floatsOf(key.buffer), starts: rowStarts(key, 0) };
  const panel = new Panel(query.channels, count);
  const peaks = new Float64Array(count).fill(Number.NEGATIVE_INFINITY);
  const wrong: number[] = [];
  for (let row = 0; row < query.rows; row += PANEL_ROWS) {
    const rows = Math.min(PANEL_ROWS, query.rows - row);
    const start = query.offset + row * query.rowStride;
    panel.fill(queryData, start, query.rowStride, rows, keys, count, 1);
    for (let r = 0; r < rows; r++) {
      const best = largest(panel.values, r * count, count);
      // The maximum over queries would hide one whose scores are not finite.
      if (!Number.isFinite(best)) wrong.push((row + r) % count);
      for (let t = 0; t < count; t++) {
        const relative = panel.values[r * count + t]! - best;
        if (relative > peaks[t]!) peaks[t] = relative;
      }
    }
  }
  for (const key of wrong) peaks[key] = Number.NEGATIVE_INFINITY;
  out.set(peaks, a.outOffset);
}
