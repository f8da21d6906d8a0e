/** Softmax attention over a list and a range of keys. */
import type { VisibleKeys } from '../../arguments';
import { floatsOf, integersOf } from '../../cpu/buffer';
import { exponentiate, largest } from '../../cpu/exponentials';
import { PANEL_ROWS, Panel } from '../../cpu/panel';
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
  const total = (visible.list?.count ?? 0) + visible.range.end - visible.range.start;
  const panel = new Panel(channels, total);
  const sums = new Float64Array(PANEL_ROWS * channels);
  const limits = new Int32Array(PANEL_ROWS);
  const factors = new Float64Array(PANEL_ROWS);
  const keys = { data: floatsOf(key.buffer), starts: new Int32Array(total) };
  const values = { data: floatsOf(value.buffer), starts: new Int32Array(total) };

  for (let head = 0; head < query.heads; head++) {
    const keyHead = Math.floor((head * key.heads) / query.heads);
    visibleStarts(visible, head, query.heads, key, keyHead, keys.starts);
    visibleStarts(visible, head, query.heads, value, keyHead, values.starts);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      for (let r = 0; r < rows; r++) limits[r] = visibleCount(visible, total, query.rows, row + r);
      const queryStart = query.offset + head * query.headStride + row * query.rowStride;
      panel.fill(queryData, queryStart, query.rowStride, rows, keys, limits[rows - 1]!, scale);
      for (let r = 0; r < rows; r++) {
        const maximum = largest(panel.values, r * total, limits[r]!);
        // Without a finite score there is nothing to subtract, and every exponential is 0.
        const shift = maximum === Number.NEGATIVE_INFINITY ? 0 : maximum;
        const sum = exponentiate(panel.values, r * total, limits[r]!, shift);
        factors[r] = sum === 0 ? 0 : 1 / sum;
        if (logSumExp && lseData) {
          lseData[logSumExp.offset + head * logSumExp.headStride + row + r] = shift + Math.log(sum);
        }
      }
      sums.fill(0);
      addWeightedRows(panel.values, total, rows, limits, values, channels, sums);
      for (let r = 0; r < rows; r++) {
        const outStart = out.offset + head * out.headStride + (row + r) * out.rowStride;
        for (let c = 0; c < channels; c++) outData[outStart + c] = factors[r]! * sums[r * channels + c]!;
      }
    }
  }
}

/** Number of keys that query `row` of `queryRows` sees: a prefix of the list followed by the range. */
export function visibleCount(visible: VisibleKeys, total: number, queryRows: number, row: number): number {
  if (!visible.range.causal) return total;
  return Math.max(visible.list?.count ?? 0, total - (queryRows - 1 - row));
}

/** Start of every visible row of one head: those of the list, then those of the range. */
export function visibleStarts(
  { list, range }: VisibleKeys,
  head: number,
  queryHeads: number,
  view: AttentionArguments['key'],
  keyHead: number,
  starts: Int32Array,
): void {
  const base = view.offset + keyHead * view.headStride;
  let at = 0;
  if (list) {
    const indices = integersOf(list.buffer);
    const set = Math.floor((head * list.sets) / queryHeads);
    const listStart = list.offset + set * list.rowStride;
    for (let i = 0; i < list.count; i++) {
      const index = indices[listStart + i]!;
      if (index >= view.rows) fail('attention', `visible.list names row ${index} of ${view.rows}`);
      starts[at++] = base + index * view.rowStride;
    }
  }
  for (let index = range.start; index < range.end; index++) starts[at++] = base + index * view.rowStride;
}
