/** ESA's importance of keys to a block of queries, and its dilation. */
import { LOWEST_SCORE } from '../ops';
import type { Arguments } from '../validate';
import { checkDilate, checkPeakScores, checkPeakScoresByQuery } from '../validate';
import { floatsOf } from './buffer';
import { largest } from './exponentials';
import { PANEL_ROWS, Panel, rowStarts } from './panel';

/** ESA (arXiv 2502.14477) Eq. 4, a few queries at a time: of the score matrix only their rows are held. */
export function peakScores(a: Arguments<'peakScores'>): void {
  checkPeakScores(a);
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

/** ESA Eq. 4 for queries that are each a block of one: every row of the score matrix less its largest entry. */
export function peakScoresByQuery(a: Arguments<'peakScoresByQuery'>): void {
  checkPeakScoresByQuery(a);
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
  { key, firstLength, out }: Arguments<'peakScoresByQuery'>,
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

/** ESA Eq. 8. The largest entry of a sliding window, in linear time: a queue of the entries that can still win. */
export function dilate(a: Arguments<'dilate'>): void {
  checkDilate(a);
  const { input, out, radius, firstLength = input.length } = a;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const queue = new Int32Array(input.length);
  const values = new Float64Array(input.length);
  for (let row = 0; row < input.rows; row++) {
    const length = Math.min(input.length, firstLength + row);
    const outStart = out.offset + row * out.rowStride;
    outData.fill(Number.NEGATIVE_INFINITY, outStart + length, outStart + input.length);
    for (let j = 0; j < length; j++) {
      const x = inputData[input.offset + row * input.rowStride + j]!;
      values[j] = Number.isNaN(x) ? Number.NEGATIVE_INFINITY : x;
    }
    let first = 0;
    let last = 0;
    let next = 0;
    for (let j = 0; j < length; j++) {
      for (const end = Math.min(length, j + radius + 1); next < end; next++) {
        while (last > first && values[queue[last - 1]!]! <= values[next]!) last--;
        queue[last++] = next;
      }
      while (queue[first]! < j - radius) first++;
      outData[outStart + j] = values[queue[first]!]!;
    }
  }
}
