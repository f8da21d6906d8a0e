/** Softmax attention over a list and a range of keys. */
import type { VisibleKeys } from '../../arguments';
import { floatsOf, integersOf } from '../../cpu/buffer';
import { capScores, exponentiate, largest } from '../../cpu/exponentials';
import { listLength } from '../../cpu/lists';
import { PANEL_ROWS, Panel, type RowStarts } from '../../cpu/panel';
import { addWeightedRows } from '../../cpu/weighted-sum';
import { fail } from '../../validate';
import { type AttentionArguments, checkAttention } from './op';

export function attention(a: AttentionArguments): void {
  checkAttention(a);
  const { query, key, value, scale, visible, out, logSumExp } = a;
  if (query.heads === 0 || query.rows === 0) return;
  const queryData = floatsOf(query.buffer);
  const outData = floatsOf(out.buffer);
  const lseData = logSumExp && floatsOf(logSumExp.buffer);
  const channels = query.channels;
  const most = (visible.list?.count ?? 0) + visible.range.end - visible.range.start;
  const panel = new Panel(channels, most);
  const sums = new Float64Array(PANEL_ROWS * channels);
  const firsts = new Int32Array(PANEL_ROWS);
  const limits = new Int32Array(PANEL_ROWS);
  const factors = new Float64Array(PANEL_ROWS);
  const allKeys = { data: floatsOf(key.buffer), starts: new Int32Array(most) };
  const allValues = { data: floatsOf(value.buffer), starts: new Int32Array(most) };

  for (let head = 0; head < query.heads; head++) {
    const keyHead = Math.floor((head * key.heads) / query.heads);
    const listed = visibleStarts(visible, head, query.heads, key, keyHead, allKeys.starts);
    visibleStarts(visible, head, query.heads, value, keyHead, allValues.starts);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      // What lies before the first row's window is left out of the panel.
      const skipped = beforeWindow(visible, query.rows, row);
      for (let r = 0; r < rows; r++) {
        firsts[r] = listed + beforeWindow(visible, query.rows, row + r) - skipped;
        limits[r] = visibleCount(visible, listed, query.rows, row + r) - skipped;
      }
      const keys = without(allKeys, listed, skipped, limits[rows - 1]!);
      const values = without(allValues, listed, skipped, limits[rows - 1]!);
      const queryStart = query.offset + head * query.headStride + row * query.rowStride;
      panel.fill(queryData, queryStart, query.rowStride, rows, keys, limits[rows - 1]!, scale);
      for (let r = 0; r < rows; r++) {
        capScores(panel.values, r * most, limits[r]!, a.softCap);
        panel.values.fill(Number.NEGATIVE_INFINITY, r * most + listed, r * most + firsts[r]!);
        const maximum = largest(panel.values, r * most, limits[r]!);
        // Without a finite score there is nothing to subtract, and every exponential is 0.
        const shift = maximum === Number.NEGATIVE_INFINITY ? 0 : maximum;
        const sum = exponentiate(panel.values, r * most, limits[r]!, shift);
        factors[r] = sum === 0 ? 0 : 1 / sum;
        if (logSumExp && lseData) {
          lseData[logSumExp.offset + head * logSumExp.headStride + row + r] = shift + Math.log(sum);
        }
      }
      sums.fill(0);
      if (firsts[rows - 1] === listed) {
        addWeightedRows(panel.values, most, rows, limits, values, channels, sums);
      } else {
        const ofList = new Int32Array(rows).fill(listed);
        addWeightedRows(panel.values, most, rows, ofList, values, channels, sums);
        addWeightedRows(panel.values, most, rows, limits, values, channels, sums, firsts);
      }
      for (let r = 0; r < rows; r++) {
        const outStart = out.offset + head * out.headStride + (row + r) * out.rowStride;
        for (let c = 0; c < channels; c++) outData[outStart + c] = factors[r]! * sums[r * channels + c]!;
      }
    }
  }
}

/** Rows [0, listed) and then [listed + skipped, count + skipped): `count` in all. */
function without(rows: RowStarts, listed: number, skipped: number, count: number): RowStarts {
  if (skipped === 0) return rows;
  const starts = rows.starts.slice(0, count);
  starts.set(rows.starts.subarray(listed + skipped, count + skipped), listed);
  return { data: rows.data, starts };
}

/** Number of keys that query `row` of `queryRows` sees but for a window: a prefix of `listed` ones followed by the range. */
export function visibleCount({ range }: VisibleKeys, listed: number, queryRows: number, row: number): number {
  const total = listed + range.end - range.start;
  return range.causal ? Math.max(listed, total - (queryRows - 1 - row)) : total;
}

/** How many rows of the range lie before the window of a query. */
export function beforeWindow({ range }: VisibleKeys, queryRows: number, row: number): number {
  if (range.window === undefined) return 0;
  return Math.max(0, range.end - range.start - (queryRows - 1 - row) - range.window);
}

/** Start of every visible row of one head: those of the list, whose number it returns, then those of the range. */
export function visibleStarts(
  { list, range }: VisibleKeys,
  head: number,
  queryHeads: number,
  view: AttentionArguments['key'],
  keyHead: number,
  starts: Int32Array,
): number {
  const base = view.offset + keyHead * view.headStride;
  let listed = 0;
  if (list) {
    const indices = integersOf(list.buffer);
    const set = Math.floor((head * list.sets) / queryHeads);
    const listStart = list.offset + set * list.rowStride;
    listed = listLength('attention', list, set);
    for (let i = 0; i < listed; i++) {
      const index = indices[listStart + i]!;
      if (index >= view.rows) fail('attention', `visible.list names row ${index} of ${view.rows}`);
      starts[i] = base + index * view.rowStride;
    }
  }
  let at = listed;
  for (let index = range.start; index < range.end; index++) starts[at++] = base + index * view.rowStride;
  return listed;
}
