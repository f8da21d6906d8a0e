/** Softmax attention over a list and a range of keys, and the merge of two such results. */
import type { VisibleKeys } from '../ops';
import type { Arguments } from '../validate';
import { checkAttention, checkMergeAttention, fail } from '../validate';
import { floatsOf, integersOf } from './buffer';
import { fillPanel, PANEL_ROWS } from './panel';
import { addWeightedRows } from './weighted-sum';

export function attention(a: Arguments<'attention'>): void {
  checkAttention(a);
  const { query, key, value, scale, visible, out, logSumExp } = a;
  if (query.heads === 0 || query.rows === 0) return;
  const queryData = floatsOf(query.buffer);
  const outData = floatsOf(out.buffer);
  const lseData = logSumExp && floatsOf(logSumExp.buffer);
  const channels = query.channels;
  const total = (visible.list?.count ?? 0) + visible.range.end - visible.range.start;
  const packed = new Float64Array(PANEL_ROWS * channels);
  const panel = new Float64Array(PANEL_ROWS * total);
  const sums = new Float64Array(PANEL_ROWS * channels);
  const limits = new Int32Array(PANEL_ROWS);
  const keys = { data: floatsOf(key.buffer), starts: new Int32Array(total) };
  const values = { data: floatsOf(value.buffer), starts: new Int32Array(total) };

  for (let head = 0; head < query.heads; head++) {
    const keyHead = Math.floor((head * key.heads) / query.heads);
    listStarts(visible, head, query.heads, key, keyHead, keys.starts);
    listStarts(visible, head, query.heads, value, keyHead, values.starts);
    for (let row = 0; row < query.rows; row += PANEL_ROWS) {
      const rows = Math.min(PANEL_ROWS, query.rows - row);
      for (let r = 0; r < rows; r++) limits[r] = visibleCount(visible, total, query.rows, row + r);
      const queryStart = query.offset + head * query.headStride + row * query.rowStride;
      const most = limits[rows - 1]!;
      fillPanel(
        queryData,
        queryStart,
        query.rowStride,
        rows,
        keys,
        0,
        most,
        channels,
        scale,
        packed,
        panel,
        total,
      );
      for (let r = 0; r < rows; r++) {
        const lse = softmaxInPlace(panel, r * total, limits[r]!);
        if (logSumExp && lseData) lseData[logSumExp.offset + head * logSumExp.headStride + row + r] = lse;
      }
      sums.fill(0);
      addWeightedRows(panel, total, rows, limits, values, channels, sums);
      for (let r = 0; r < rows; r++) {
        const outStart = out.offset + head * out.headStride + (row + r) * out.rowStride;
        for (let c = 0; c < channels; c++) outData[outStart + c] = sums[r * channels + c]!;
      }
    }
  }
}

/** Number of keys that query `row` of `queryRows` sees: a prefix of the list followed by the range. */
function visibleCount(visible: VisibleKeys, total: number, queryRows: number, row: number): number {
  if (!visible.range.causal) return total;
  return Math.max(visible.list?.count ?? 0, total - (queryRows - 1 - row));
}

/** Start of every visible row of one head: those of the list, then those of the range. */
function listStarts(
  { list, range }: VisibleKeys,
  head: number,
  queryHeads: number,
  view: Arguments<'attention'>['key'],
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

/** Scores [start, start + count) become weights that sum to 1; returns ln Σ exp. Without keys, −∞. */
function softmaxInPlace(scores: Float64Array, start: number, count: number): number {
  const end = start + count;
  let maximum = Number.NEGATIVE_INFINITY;
  for (let t = start; t < end; t++) if (scores[t]! > maximum) maximum = scores[t]!;
  if (maximum === Number.NEGATIVE_INFINITY) maximum = 0;
  let sum = 0;
  for (let t = start; t < end; t++) {
    const weight = Math.exp(scores[t]! - maximum);
    scores[t] = weight;
    sum += weight;
  }
  if (sum === 0) return Number.NEGATIVE_INFINITY;
  const factor = 1 / sum;
  for (let t = start; t < end; t++) scores[t] = scores[t]! * factor;
  return maximum + Math.log(sum);
}

/** ESA (arXiv 2502.14477), appendix G, algorithm 1, with the maximum subtracted. */
export function mergeAttention(a: Arguments<'mergeAttention'>): void {
  checkMergeAttention(a);
  const { into, from } = a;
  const intoData = floatsOf(into.out.buffer);
  const fromData = floatsOf(from.out.buffer);
  const intoLse = floatsOf(into.logSumExp.buffer);
  const fromLse = floatsOf(from.logSumExp.buffer);
  for (let head = 0; head < into.out.heads; head++) {
    for (let row = 0; row < into.out.rows; row++) {
      const lseAt = into.logSumExp.offset + head * into.logSumExp.headStride + row;
      const lseInto = intoLse[lseAt]!;
      const lseFrom = fromLse[from.logSumExp.offset + head * from.logSumExp.headStride + row]!;
      if (lseFrom === Number.NEGATIVE_INFINITY) continue;
      const maximum = Math.max(lseInto, lseFrom);
      const weightInto = Math.exp(lseInto - maximum);
      const weightFrom = Math.exp(lseFrom - maximum);
      const sum = weightInto + weightFrom;
      const intoStart = into.out.offset + head * into.out.headStride + row * into.out.rowStride;
      const fromStart = from.out.offset + head * from.out.headStride + row * from.out.rowStride;
      for (let c = 0; c < into.out.channels; c++) {
        intoData[intoStart + c] =
          (weightInto * intoData[intoStart + c]! + weightFrom * fromData[fromStart + c]!) / sum;
      }
      intoLse[lseAt] = maximum + Math.log(sum);
    }
  }
}
