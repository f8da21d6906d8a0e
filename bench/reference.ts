/** Single results in double precision, for sizes that are too large for the CPU to compute whole. */

/** A matrix of rows on the host; row r starts at `offset + r·stride`. */
export interface HostRows {
  readonly data: Float32Array;
  readonly offset: number;
  readonly stride: number;
}

export function rowOf({ data, offset, stride }: HostRows, row: number, channels: number): Float32Array {
  return data.subarray(offset + row * stride, offset + row * stride + channels);
}

export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** Keys that one query sees: its own version of the query (rotated as these keys demand), and which rows. */
export interface SeenKeys {
  readonly query: Float32Array;
  readonly key: HostRows;
  readonly rows: ArrayLike<number>;
}

/** Softmax attention of one query and head over all `parts` together: Σ e^(q·k·scale) v / Σ e^(q·k·scale). */
export function attendOnce(parts: readonly SeenKeys[], value: HostRows, scale: number): Float64Array {
  const logits = parts.map(({ query, key, rows }) =>
    Float64Array.from(rows, (row) => scale * dot(query, rowOf(key, row, query.length))),
  );
  let largest = Number.NEGATIVE_INFINITY;
  for (const part of logits) for (const logit of part) largest = Math.max(largest, logit);
  const channels = parts[0]!.query.length;
  const out = new Float64Array(channels);
  let total = 0;
  parts.forEach(({ rows }, part) => {
    for (let i = 0; i < rows.length; i++) {
      const weight = Math.exp(logits[part]![i]! - largest);
      const row = rowOf(value, rows[i]!, channels);
      total += weight;
      for (let c = 0; c < channels; c++) out[c]! += weight * row[c]!;
    }
  });
  return out.map((sum) => sum / total);
}

/** The numbers start, start + 1, … end − 1. */
export function range(start: number, end: number): Uint32Array {
  return Uint32Array.from({ length: Math.max(0, end - start) }, (_, i) => start + i);
}
