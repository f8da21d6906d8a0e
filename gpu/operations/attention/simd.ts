/** Softmax attention through the WebAssembly kernels. */
import { floatsOf, integersOf } from '../../cpu/buffer';
import { listLength } from '../../cpu/lists';
import type { RowStarts } from '../../cpu/panel';
import type { SimdKernels } from '../../cpu/simd/instance';
import { packColumns, roundUp, TILE_COLUMNS, TILE_ROWS } from '../../cpu/simd/pack';
import type { Rows } from '../../rows';
import { attention, beforeWindow, visibleCount, visibleStarts } from './cpu';
import { type AttentionArguments, checkAttention } from './op';

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

/**
 * The reference's `attention` with an online softmax over blocks of keys, in single precision. With one query, as in decoding, the
 * heads that see the same keys are the rows of a product; where no two do, packing the keys would cost more than it saves. Soft caps
 * are the reference's alone.
 */
export function createSimdAttention(kernels: SimdKernels): typeof attention {
  return (a) => {
    const { query, key, value, visible } = a;
    const groups = query.rows === 1 ? headsThatShare(a) : null;
    const isPlain = a.softCap === undefined;
    if (!isPlain || query.channels === 0 || query.rows === 0 || (groups && groups.length === query.heads)) {
      return attention(a);
    }
    checkAttention(a);
    const mostRows = groups ? groups.reduce((most, heads) => Math.max(most, heads.length), 0) : query.rows;
    // No more rows than a window has keys: the last one's then begins before the first one's ends.
    const blockRows = Math.min(BLOCK_ROWS, Math.max(1, visible.range.window ?? BLOCK_ROWS));
    const layout = layoutOf(Math.min(blockRows, mostRows), query.channels);
    const memory = kernels.floats(layout.end);
    const most = (visible.list?.count ?? 0) + visible.range.end - visible.range.start;
    const keys = { data: floatsOf(key.buffer), starts: new Int32Array(most) };
    const values = { data: floatsOf(value.buffer), starts: new Int32Array(most) };
    const attend = (head: number, rows: QueryRows): void => {
      const keyHead = Math.floor((head * key.heads) / query.heads);
      const listed = visibleStarts(visible, head, query.heads, key, keyHead, keys.starts);
      visibleStarts(visible, head, query.heads, value, keyHead, values.starts);
      for (let from = 0; from < rows.heads.length; from += blockRows) {
        const heads = rows.heads.subarray(from, from + blockRows);
        const places = rows.places.subarray(from, from + blockRows);
        attendRows(kernels, a, { heads, places }, listed, keys, values, memory, layout);
      }
    };
    if (groups) {
      for (const heads of groups) {
        attend(heads[0]!, { heads: Int32Array.from(heads), places: new Int32Array(heads.length) });
      }
      return;
    }
    const places = Int32Array.from({ length: query.rows }, (_, row) => row);
    for (let head = 0; head < query.heads; head++) {
      attend(head, { heads: new Int32Array(query.rows).fill(head), places });
    }
  };
}

/** Queries that see prefixes of the same keys: entry r is row places[r] of head heads[r]. */
interface QueryRows {
  readonly heads: Int32Array;
  readonly places: Int32Array;
}

/** Heads by what they see: the same rows of one head of keys. */
function headsThatShare({ query, key, visible }: AttentionArguments): number[][] {
  const groups: number[][] = [];
  const { list } = visible;
  const indices = list && integersOf(list.buffer);
  const sets = Math.max(1, list?.sets ?? 1);
  // Groups of the current head of keys by a hash of their list.
  let known = new Map<number, number[][]>();
  let last = -1;
  for (let head = 0; head < query.heads; head++) {
    const keyHead = Math.floor((head * key.heads) / query.heads);
    if (keyHead !== last) known = new Map();
    last = keyHead;
    const setOf = (of: number): number => Math.floor((of * sets) / query.heads);
    const own = setOf(head);
    const count = list ? listLength('attention', list, own) : 0;
    const start = list ? list.offset + own * list.rowStride : 0;
    let hash = 0;
    if (indices) for (let i = 0; i < count; i++) hash = Math.imul(hash ^ indices[start + i]!, 16777619);
    const isSame = ([first]: readonly number[]): boolean => {
      const set = setOf(first!);
      if (!list || !indices || set === own) return true;
      if (listLength('attention', list, set) !== count) return false;
      const other = list.offset + set * list.rowStride;
      for (let i = 0; i < count; i++) if (indices[other + i] !== indices[start + i]) return false;
      return true;
    };
    const alike = known.get(hash) ?? [];
    const group = alike.find(isSame);
    if (group) group.push(head);
    else {
      const made = [head];
      groups.push(made);
      alike.push(made);
      known.set(hash, alike);
    }
  }
  return groups;
}

function attendRows(
  kernels: SimdKernels,
  a: AttentionArguments,
  rows: QueryRows,
  listed: number,
  keys: RowStarts,
  values: RowStarts,
  memory: Float32Array,
  layout: Layout,
): void {
  const { visible, query } = a;
  const seen = rows.places.map((row) => visibleCount(visible, listed, query.rows, row));
  const take = (keys: RowStarts, values: RowStarts, seen: Int32Array): void => {
    const most = seen.reduce((largest, count) => Math.max(largest, count), 0);
    for (let from = 0; from < most; from += BLOCK_KEYS) {
      const count = Math.min(BLOCK_KEYS, most - from);
      packColumns(keys, from, count, query.channels, memory, layout.keys);
      loadRows(values, from, count, query.channels, memory, layout.values, layout.stride);
      loadLimits(seen, from, count, memory, layout);
      runBlock(kernels, query.channels, seen.length, layout);
    }
  };
  loadQueries(a, rows, memory, layout);
  if (visible.range.window === undefined) take(keys, values, seen);
  else {
    const hidden = rows.places.map((row) => beforeWindow(visible, query.rows, row));
    const [first, last] = [listed + hidden[0]!, listed + hidden.at(-1)!];
    take(
      keys,
      values,
      seen.map(() => listed),
    );
    // Where windows begin, keys are taken last to first: of these, too, each query sees the first so many.
    take(
      between(keys, first, last, 'reversed'),
      between(values, first, last, 'reversed'),
      hidden.map((before) => last - listed - before),
    );
    take(
      between(keys, last),
      between(values, last),
      seen.map((count) => Math.max(0, count - last)),
    );
  }
  storeResults(a, rows, memory, layout);
}

/** Rows [first, last), or in reverse order. */
function between({ data, starts }: RowStarts, first: number, last?: number, order?: 'reversed'): RowStarts {
  const part = starts.slice(first, last);
  return { data, starts: order ? part.reverse() : part };
}

/** Queries times the scale, and the state of having seen no key. */
function loadQueries(
  { query, scale }: { query: Rows; scale: number },
  rows: QueryRows,
  memory: Float32Array,
  { state, query: at, keys }: Layout,
): void {
  const data = floatsOf(query.buffer);
  // The rows that fill up the last tile are zeros.
  memory.fill(0, at, keys);
  const { heads, places } = rows;
  for (let r = 0; r < heads.length; r++) {
    const start = query.offset + heads[r]! * query.headStride + places[r]! * query.rowStride;
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

/** How many keys of the block [from, from + count) each row sees; what fills up the last tile sees what its last row does. */
function loadLimits(
  seen: Int32Array,
  from: number,
  count: number,
  memory: Float32Array,
  { limits }: Layout,
): void {
  const padded = roundUp(seen.length, TILE_ROWS);
  const out = new Int32Array(memory.buffer, 4 * limits, padded);
  for (let r = 0; r < padded; r++) {
    out[r] = Math.max(0, Math.min(count, seen[Math.min(r, seen.length - 1)]! - from));
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
  { out, logSumExp }: AttentionArguments,
  rows: QueryRows,
  memory: Float32Array,
  layout: Layout,
): void {
  const outData = floatsOf(out.buffer);
  const lseData = logSumExp && floatsOf(logSumExp.buffer);
  const { heads, places } = rows;
  for (let r = 0; r < heads.length; r++) {
    const maximum = memory[layout.state + 2 * r]!;
    const sum = memory[layout.state + 2 * r + 1]!;
    const factor = sum === 0 ? 0 : 1 / sum;
    const from = layout.out + r * layout.stride;
    const to = out.offset + heads[r]! * out.headStride + places[r]! * out.rowStride;
    for (let c = 0; c < out.channels; c++) outData[to + c] = factor * memory[from + c]!;
    if (!logSumExp || !lseData) continue;
    const at = logSumExp.offset + heads[r]! * logSumExp.headStride + places[r]!;
    lseData[at] = sum === 0 ? Number.NEGATIVE_INFINITY : maximum + Math.log(sum);
  }
}
