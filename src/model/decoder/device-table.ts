/**
 * A table of rows on a device: token embeddings, learned positions, the head. A table larger than a binding is cut into parts;
 * WebGPU promises bindings of 128 MiB, and 151,936 tokens × 896 channels in single precision take 519 MiB.
 */
import type { Ops } from '../../../gpu/ops';
import { type DeviceBuffer, type ElementType, matrixRows, type Rows, wordsOf } from '../../../gpu/rows';

export interface DeviceTable {
  /** Consecutive rows; one part unless the device allows no buffer that holds all. */
  readonly parts: readonly TablePart[];
  readonly channels: number;
}

interface TablePart {
  /** Number of the part's first row. */
  readonly start: number;
  /** [rows of the part, channels]. */
  readonly rows: Rows;
  /** What rows are looked up in: the same, and in a table of several parts a row of zeros at its end. */
  readonly lookUp: Rows;
}

/** The number of rows in each part of a table, the row of zeros not counted. */
export function rowsOfParts(
  rows: number,
  channels: number,
  bufferBytes: number,
  type: ElementType = 'f32',
): number[] {
  const most = Math.floor(bufferBytes / (4 * wordsOf(type, channels)));
  if (rows <= most) return [rows];
  const parts = Math.ceil(rows / (most - 1));
  return Array.from({ length: parts }, (_, part) => (part < parts - 1 ? most - 1 : rows - part * (most - 1)));
}

/** Puts `data` [rows, channels] on the device, as `type`. `upload` keeps the buffers, to release them. */
export function uploadTable(
  ops: Pick<Ops, 'memoryLimits'>,
  upload: (data: Float32Array, label: string) => DeviceBuffer,
  data: Float32Array,
  channels: number,
  label: string,
  type: ElementType = 'f32',
): DeviceTable {
  let start = 0;
  const counts = rowsOfParts(data.length / channels, channels, ops.memoryLimits.bufferBytes, type);
  const parts = counts.map((count, index): TablePart => {
    const own = data.subarray(start * channels, (start + count) * channels);
    const isWhole = counts.length === 1;
    const padded = isWhole ? own : new Float32Array(own.length + channels);
    if (!isWhole) padded.set(own);
    const buffer = upload(padded, isWhole ? label : `${label}, part ${index + 1} of ${counts.length}`);
    const rows = matrixRows(buffer, count, channels);
    const part = { start, rows, lookUp: isWhole ? rows : matrixRows(buffer, count + 1, channels) };
    start += count;
    return part;
  });
  return { parts, channels };
}

/**
 * out[0,r,:] (+)= row `numbers[r]` of the table. `indices` has room for one number per row of `out` and part. A part looks up
 * its row of zeros for the numbers of the others, so that the sum over parts is the row.
 */
export function lookUpRows(
  ops: Ops,
  table: DeviceTable,
  numbers: Uint32Array,
  indices: DeviceBuffer,
  out: Rows,
  accumulate = false,
): void {
  const places = new Uint32Array(numbers.length * table.parts.length);
  for (const [index, { start, rows, lookUp }] of table.parts.entries()) {
    for (let i = 0; i < numbers.length; i++) {
      const row = numbers[i]! - start;
      const isOwn = row >= 0 && row < rows.rows;
      places[index * numbers.length + i] = isOwn ? row : lookUp.rows - 1;
    }
  }
  ops.write(indices, 0, places);
  for (const [index, { lookUp }] of table.parts.entries()) {
    const indexOffset = index * numbers.length;
    ops.gatherRows({ table: lookUp, indices, indexOffset, out, accumulate: accumulate || index > 0 });
  }
}

/** out[0,i,j] = input[0,i,:] · row j of the table. */
export function multiplyByTable(ops: Ops, input: Rows, table: DeviceTable, out: Rows): void {
  for (const { start, rows } of table.parts) {
    ops.matmul({ input, weight: rows, out: { ...out, offset: out.offset + start, channels: rows.rows } });
  }
}
