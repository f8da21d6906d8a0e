/**
 * Views of device buffers.
 *
 * Nearly everything the engine handles is "heads × rows × channels": activations have one head, queries H, keys G.
 * A view carries strides, so one buffer serves token-major projections and head-major captures without a copy.
 */

/** Floats of 16 bits, two to a word, in which weights may lie as they were stored; only operations that say so read them. */
export type HalfType = 'f16' | 'bf16';

/** What a buffer holds: 32-bit floats, 32-bit unsigned integers, or halves. */
export type ElementType = 'f32' | 'u32' | HalfType;

export function isHalf(type: ElementType): type is HalfType {
  return type === 'f16' || type === 'bf16';
}

/** Words of four bytes that so many elements take. */
export function wordsOf(type: ElementType, elements: number): number {
  return isHalf(type) ? Math.ceil(elements / 2) : elements;
}

/** Storage owned by a backend. `length` counts elements. */
export interface DeviceBuffer {
  readonly type: ElementType;
  readonly length: number;
  readonly label: string;
}

/** `heads × rows × channels` inside a buffer; element (h, r, c) is at `offset + h·headStride + r·rowStride + c`. */
export interface Rows {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly heads: number;
  readonly rows: number;
  readonly channels: number;
  readonly headStride: number;
  readonly rowStride: number;
}

/** A dense [rows, channels] matrix that starts at `offset`. */
export function matrixRows(buffer: DeviceBuffer, rows: number, channels: number, offset = 0): Rows {
  return { buffer, offset, heads: 1, rows, channels, headStride: rows * channels, rowStride: channels };
}

/** A dense [heads, rows, channels] tensor, as captures store it. */
export function headMajorRows(
  buffer: DeviceBuffer,
  heads: number,
  rows: number,
  channels: number,
  offset = 0,
): Rows {
  return { buffer, offset, heads, rows, channels, headStride: rows * channels, rowStride: channels };
}

/** A dense [rows, heads·channels] matrix read head by head, as projections write it. */
export function tokenMajorRows(
  buffer: DeviceBuffer,
  heads: number,
  rows: number,
  channels: number,
  offset = 0,
): Rows {
  return { buffer, offset, heads, rows, channels, headStride: channels, rowStride: heads * channels };
}

/** Rows [start, start + count) of a view. */
export function sliceRows(view: Rows, start: number, count: number): Rows {
  if (start < 0 || count < 0 || start + count > view.rows) {
    throw new RangeError(
      `rows ${start}…${start + count} are outside a view of ${view.rows} rows (${view.buffer.label})`,
    );
  }
  // Spelled out: this is called for every block of every layer, and spreading an object takes several times as long.
  const { buffer, heads, channels, headStride, rowStride } = view;
  return {
    buffer,
    offset: view.offset + start * rowStride,
    heads,
    rows: count,
    channels,
    headStride,
    rowStride,
  };
}

/** Heads [start, start + count) of a view. */
export function sliceHeads(view: Rows, start: number, count: number): Rows {
  if (start < 0 || count < 0 || start + count > view.heads) {
    throw new RangeError(
      `heads ${start}…${start + count} are outside a view of ${view.heads} heads (${view.buffer.label})`,
    );
  }
  return { ...view, offset: view.offset + start * view.headStride, heads: count };
}

/** A token-major view [heads, rows, channels] seen as the matrix [rows, heads·channels]. */
export function joinHeads(view: Rows): Rows {
  if (view.heads > 1 && view.headStride !== view.channels) {
    throw new RangeError(
      `${view.buffer.label} is not token-major, its heads cannot be joined without a copy`,
    );
  }
  return { ...view, heads: 1, channels: view.heads * view.channels, headStride: view.rows * view.rowStride };
}

/** Every row of a view [heads, rows, channels] as a head of its own: [heads·rows, 1, channels]. Dense, where there are several rows. */
export function eachRowAsHead(view: Rows): Rows {
  const { heads, rows, rowStride } = view;
  if (rows === 1) return view;
  if (heads > 1 && view.headStride !== rows * rowStride) {
    throw new RangeError(
      `${view.buffer.label} is not head-major and dense, its rows cannot be heads without a copy`,
    );
  }
  return { ...view, heads: heads * rows, rows: 1, headStride: rowStride };
}

/** One past the last element that a view touches (0 for an empty view). */
export function endOfRows(view: Rows): number {
  if (view.heads === 0 || view.rows === 0 || view.channels === 0) return 0;
  return view.offset + (view.heads - 1) * view.headStride + (view.rows - 1) * view.rowStride + view.channels;
}
