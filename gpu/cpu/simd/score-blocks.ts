/**
 * Scores of queries and keys through the WebAssembly kernels. In double precision, unlike the others: a score is the small
 * difference of two large ones, and so this is the reference's number to the last digit.
 */
import type { EsaImportanceArguments } from '../../operations/esa-importance/op';
import { floatsOf } from '../buffer';
import { type RowStarts, rowStarts } from '../panel';
import type { SimdKernels } from './instance';
import { roundUp, TILE_ROWS } from './pack';

/** Keys of a tile of the kernel. */
export const TILE_KEYS = 4;

/** For one query, packing the keys costs what it saves. */
const FEWEST_ROWS = 2;

/** Key elements that are packed at most: 64 MiB of them. */
const MOST_ELEMENTS = 1 << 23;

/** Scores held at a time: what stays in the second-level cache, with the keys going by. */
const BLOCK_SCORES = 1 << 17;

export function pays({ query, key }: ScoredRows): boolean {
  const elements = key.rows * query.channels;
  return query.rows >= FEWEST_ROWS && elements > 0 && elements <= MOST_ELEMENTS;
}

type ScoredRows = Pick<EsaImportanceArguments, 'query' | 'key'>;

/** What is done with the scores, in doubles. At `ownAt` begin the `extra` doubles that the taker has to itself. */
interface Taker {
  begin?(memory: Float64Array, ownAt: number): void;
  /** The scores of query `row` begin at `scoresAt`; the last key's stand in for what fills up the last four. */
  take(memory: Float64Array, row: number, scoresAt: number, ownAt: number): void;
  end?(memory: Float64Array, ownAt: number): void;
}

/** Scores of queries and keys, a block of queries at a time. All keys are packed at once. */
export function scoreBlocks(
  kernels: SimdKernels,
  { query, key }: ScoredRows,
  extra: number,
  taker: Taker,
): void {
  const { channels } = query;
  const stride = roundUp(key.rows, TILE_KEYS);
  const blockRows = Math.min(
    roundUp(query.rows, TILE_ROWS),
    Math.max(TILE_ROWS, Math.floor(BLOCK_SCORES / stride / TILE_ROWS) * TILE_ROWS),
  );
  const keysAt = blockRows * channels;
  const scoresAt = keysAt + stride * channels;
  const ownAt = scoresAt + blockRows * stride;
  const memory = kernels.doubles(ownAt + extra);
  const queryData = floatsOf(query.buffer);
  const keys = { data: floatsOf(key.buffer), starts: rowStarts(key, 0) };
  packKeys(keys, key.rows, channels, memory, keysAt);
  taker.begin?.(memory, ownAt);
  for (let row = 0; row < query.rows; row += blockRows) {
    const rows = Math.min(blockRows, query.rows - row);
    for (let r = 0; r < rows; r++) {
      const start = query.offset + (row + r) * query.rowStride;
      memory.set(queryData.subarray(start, start + channels), r * channels);
    }
    const tiles = Math.ceil(rows / TILE_ROWS);
    for (let t = 0; t < stride; t += TILE_KEYS) {
      const [from, to] = [8 * (keysAt + t * channels), 8 * (scoresAt + t)];
      kernels.run.multiplyDoubles(0, 8 * channels, tiles, from, channels, to, 8 * stride);
    }
    for (let r = 0; r < rows; r++) taker.take(memory, row + r, scoresAt + r * stride, ownAt);
  }
  taker.end?.(memory, ownAt);
}

/** By fours, channel by channel. The last key stands in for what is missing in the last four: it changes no maximum. */
function packKeys(
  { data, starts }: RowStarts,
  count: number,
  channels: number,
  out: Float64Array,
  at: number,
): void {
  const last = count - 1;
  let to = at;
  for (let row = 0; row <= last; row += TILE_KEYS) {
    const s0 = starts[row]!;
    const s1 = starts[Math.min(last, row + 1)]!;
    const s2 = starts[Math.min(last, row + 2)]!;
    const s3 = starts[Math.min(last, row + 3)]!;
    for (let c = 0; c < channels; c++) {
      out[to] = data[s0 + c]!;
      out[to + 1] = data[s1 + c]!;
      out[to + 2] = data[s2 + c]!;
      out[to + 3] = data[s3 + c]!;
      to += TILE_KEYS;
    }
  }
}
