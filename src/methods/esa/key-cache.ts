/** Compressed keys k' of one layer, computed once per token and kept (arXiv 2502.14477, section 3.1). */
import type { Ops } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { joinHeads, matrixRows, sliceRows, tokenMajorRows } from '../../../gpu/rows';
import type { Remembered } from '../method';
import type { Projection } from './projection';

/** Grows with the text. Rows are valid up to `length`; setting it lower forgets tokens. */
export class KeyCache implements Remembered {
  length = 0;
  readonly #ops: Ops;
  #buffer: DeviceBuffer | null = null;
  #capacity: number;

  constructor(ops: Ops, capacity: number) {
    this.#ops = ops;
    this.#capacity = capacity;
  }

  get bytes(): number {
    return 4 * (this.#buffer?.length ?? 0);
  }

  /**
   * Compressed keys [end, channels] of the tokens [0, end) of `keyUnrotated()` [G, ≥ end, d], asked for only if one is new.
   * `projection`: always the same one; without it the cache holds the keys themselves, token by token.
   */
  upTo(projection: Projection | null, keyUnrotated: () => Rows, end: number): Rows {
    if (projection && this.#buffer && end <= this.length) {
      return matrixRows(this.#buffer, end, projection.keyMap.rows);
    }
    return this.#extend(projection, keyUnrotated(), end);
  }

  #extend(projection: Projection | null, keyUnrotated: Rows, end: number): Rows {
    const { heads, channels: headChannels } = keyUnrotated;
    const isJoined = heads === 1 || keyUnrotated.headStride === headChannels;
    if (!projection && isJoined) return joinHeads(sliceRows(keyUnrotated, 0, end));
    const channels = projection?.keyMap.rows ?? heads * headChannels;
    if (!this.#buffer || end > this.#capacity) {
      this.release();
      this.#capacity = Math.max(this.#capacity, Math.ceil(1.25 * end));
      this.#buffer = this.#ops.allocate('f32', this.#capacity * channels, 'compressed keys');
    }
    if (end > this.length) {
      const fresh = sliceRows(keyUnrotated, this.length, end - this.length);
      const offset = this.length * channels;
      if (projection) {
        const joined = joinedRows(this.#ops, fresh);
        const out = matrixRows(this.#buffer, fresh.rows, channels, offset);
        this.#ops.matmul({ input: joined.view, weight: projection.keyMap, out });
        joined.release();
      } else {
        const out = tokenMajorRows(this.#buffer, heads, fresh.rows, headChannels, offset);
        this.#ops.copyRows({ input: fresh, out });
      }
      this.length = end;
    }
    return matrixRows(this.#buffer, end, channels);
  }

  release(): void {
    if (this.#buffer) this.#ops.release(this.#buffer);
    this.#buffer = null;
    this.length = 0;
  }
}

/** Rows that lie token by token as the matrix [rows, heads·channels]; copied where they do not. */
function joinedRows(ops: Ops, rows: Rows): { view: Rows; release(): void } {
  if (rows.heads === 1 || rows.headStride === rows.channels) return { view: joinHeads(rows), release() {} };
  const buffer = ops.allocate('f32', rows.heads * rows.rows * rows.channels, 'rows, token by token');
  const copy = tokenMajorRows(buffer, rows.heads, rows.rows, rows.channels);
  ops.copyRows({ input: rows, out: copy });
  return { view: joinHeads(copy), release: () => ops.release(buffer) };
}
