/** Softmax attention through the WebAssembly kernels. */
import type { Rows } from '../../rows';
import type { Arguments } from '../../validate';
import { checkAttention } from '../../validate';
import { attention, visibleCount, visibleStarts } from '../attention';
import { floatsOf } from '../buffer';
import type { RowStarts } from '../panel';
import type { SimdKernels } from './instance';
import { packColumns, roundUp, TILE_COLUMNS, TILE_ROWS } from './pack';

/** For one query, as in decoding, packing the keys costs more than it saves. */
const FEWEST_ROWS = 2;

/** Queries taken at a time. */
const BLOCK_ROWS = 512;

/** Keys taken at a time: the kernel's row of scores. */
const BLOCK_KEYS = 128;

/** Where a block of queries and one of keys lie in the memory, in floats. */
interface Layout {
  readonly scores: number;
  readonly limits: number;
  readonly state: number;
  readonly query: number;
  readonly out: number;
  readonly keys: number;
  readonly values: number;
  readonly end: number;
  /** Floats from one row of values or output to the next. */
  readonly stride: number;
}

function layoutOf(rows: number, channels: number): Layout {
  const padded = roundUp(rows, TILE_ROWS);
  const stride = roundUp(channels, TILE_COLUMNS);
  const scores = 0;
  const limits = scores + TILE_ROWS * BLOCK_KEYS;
  const state = limits + padded;
  const query = state + 2 * padded;
  const out = query + padded * channels;
  const keys = out + padded * stride;
  const values = keys + BLOCK_KEYS * channels;
  return { scores, limits, state, query, out, keys, values, stride, end: values + BLOCK_KEYS * stride };
}

/** The reference's `attention` with an online softmax over blocks of keys, in single precision. */
export function createSimdAttention(kernels: SimdKernels): typeof attention {
  return (a) => {
    const { query, key, value, visible } = a;
    if (query.rows < FEWEST_ROWS || query.channels === 0) return attention(a);
    checkAttention(a);
    const layout = layoutOf(Math.min(BLOCK_ROWS, query.rows), query.channels);
    const memory = kernels.floats(layout.end);
    const total = (visible.list?.count ?? 0) + visible.range.end - visible.range.start;
    const keys = { data: floatsOf(key.buffer), starts: new Int32Array(total) };
    const values = { data: floatsOf(value.buffer), starts: new Int32Array(total) };
    for (let head = 0; head < query.heads; head++) {
      const keyHead = Math.floor((head * key.heads) / query.heads);
      visibleStarts(visible, head, query.heads, key, keyHead, keys.starts);
      visibleStarts(visible, head, query.heads, value, keyHead, values.starts);
      for (let row = 0; row < query.rows; row += BLOCK_ROWS) {
        const rows = Math.min(BLOCK_ROWS, query.rows - row);
        loadQueries(a, head, row, rows, memory, layout);
        const most = visibleCount(visible, total, query.rows, row + rows - 1);
        for (let from = 0; from < most; from += BLOCK_KEYS) {
          const count = Math.min(BLOCK_KEYS, most - from);
          packColumns(keys, from, count, query.channels, memory, layout.keys);
          loadRows(values, from, count, query.channels, memory, layout.values, layout.stride);
          loadLimits(a, total, row, rows, from, count, memory, layout);
          runBlock(kernels, query.channels, rows, layout);
        }
        storeResults(a, head, row, rows, memory, layout);
      }
    }
  };
}

/** Queries times the scale, and the state of having seen no key. */
function loadQueries(
  { query, scale }: { query: Rows; scale: number },
  head: number,
  row: number,
  rows: number,
  memory: Float32Array,
  { state, query: at, keys }: Layout,
): void {
  const data = floatsOf(query.buffer);
  // The rows that fill up the last tile are zeros.
  memory.fill(0, at, keys);
  for (let r = 0; r < rows; r++) {
    const start = query.offset + head * query.headStride + (row + r) * query.rowStride;
    const to = at + r * query.channels;
    for (let c = 0; c < query.channels; c++) memory[to + c] = data[start + c]! * scale;
  }
  for (let i = state; i < at; i += 2) {
    memory[i] = Number.NEGATIVE_INFINITY;
    memory[i + 1] = 0;
  }
}

function loadRows(
  { data, starts }: RowStarts,
  from: number,
  count: number,
  channels: number,
  memory: Float32Array,
  at: number,
  stride: number,
): void {
  for (let t = 0; t < count; t++) {
    const start = starts[from + t]!;
    const to = at + t * stride;
    for (let c = 0; c < channels; c++) memory[to + c] = data[start + c]!;
  }
}

/** How many keys of the block [from, from + count) each query sees; what fills up the last tile sees what its last query does. */
function loadLimits(
  { query, visible }: Arguments<'attention'>,
  total: number,
  row: number,
  rows: number,
  from: number,
  count: number,
  memory: Float32Array,
  { limits }: Layout,
): void {
  const padded = roundUp(rows, TILE_ROWS);
  const out = new Int32Array(memory.buffer, 4 * limits, padded);
  for (let r = 0; r < padded; r++) {
    const seen = visibleCount(visible, total, query.rows, row + Math.min(r, rows - 1));
    out[r] = Math.max(0, Math.min(count, seen - from));
  }
}

function runBlock({ run }: SimdKernels, channels: number, rows: number, layout: Layout): void {
  run.attend(
    4 * layout.query,
    channels,
    Math.ceil(rows / TILE_ROWS),
    4 * layout.limits,
    4 * layout.keys,
    4 * layout.values,
    4 * layout.stride,
    4 * layout.state,
    4 * layout.out,
    4 * layout.scores,
  );
}

/** Divides by the sums. A query that saw no key, or none with a finite score, gets zeros and −∞. */
function storeResults(
  { out, logSumExp }: Arguments<'attention'>,
  head: number,
  row: number,
  rows: number,
  memory: Float32Array,
  layout: Layout,
): void {
  const outData = floatsOf(out.buffer);
  const lseData = logSumExp && floatsOf(logSumExp.buffer);
  for (let r = 0; r < rows; r++) {
    const maximum = memory[layout.state + 2 * r]!;
    const sum = memory[layout.state + 2 * r + 1]!;
    const factor = sum === 0 ? 0 : 1 / sum;
    const from = layout.out + r * layout.stride;
    const to = out.offset + head * out.headStride + (row + r) * out.rowStride;
    for (let c = 0; c < out.channels; c++) outData[to + c] = factor * memory[from + c]!;
    if (!logSumExp || !lseData) continue;
    const at = logSumExp.offset + head * logSumExp.headStride + row + r;
    lseData[at] = sum === 0 ? Number.NEGATIVE_INFINITY : maximum + Math.log(sum);
  }
}
