/** One layer of FreqKV's cache: the rows that compressions made. Sinks and tokens not mixed yet are read from the model's cache. */
import type { Ops } from '../../../gpu/ops';
import { headMajorRows, type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { LayerInput } from '../method';
import { type Cache, firstUnmixed } from './schema';

/** Mixtures of keys before rotation and of values, [G, mixedRows, d]; null where there are none. */
interface Mixtures {
  readonly times: number;
  readonly key: Rows | null;
  readonly value: Rows | null;
}

const none: Mixtures = { times: 0, key: null, value: null };

export class MixedLayer {
  readonly #ops: Ops;
  readonly #cache: Cache;
  #current = none;
  #marked = none;

  constructor(ops: Ops, cache: Cache) {
    this.#ops = ops;
    this.#cache = cache;
  }

  /** Compresses until it has been done so many times. `matrix`: [1, mixedRows, spanRows]; null where nothing is retained. */
  compress(times: number, key: Rows, value: Rows, matrix: Rows | null): void {
    while (this.#current.times < times) {
      const before = this.#current;
      this.#current = {
        times: before.times + 1,
        key: matrix && this.#mix(before.times, before.key, key, matrix),
        value: matrix && this.#mix(before.times, before.value, value, matrix),
      };
      if (before !== this.#marked) this.#release(before);
    }
  }

  /** A copy of the mixtures, which the next compression leaves alone; the caller releases its buffers. */
  copy(): { readonly key: Rows; readonly value: Rows } | null {
    const { key, value } = this.#current;
    return key && value && { key: this.#copyOf(key), value: this.#copyOf(value) };
  }

  mark(): void {
    if (this.#marked !== this.#current) this.#release(this.#marked);
    this.#marked = this.#current;
  }

  rewind(): void {
    if (this.#marked !== this.#current) this.#release(this.#current);
    this.#current = this.#marked;
  }

  release(): void {
    this.rewind();
    this.#release(this.#current);
    this.#current = none;
    this.#marked = none;
  }

  /** What stands between the sinks and the last tokens, after `times` compressions, mixed by `matrix`. */
  #mix(times: number, mixed: Rows | null, tokens: LayerInput['value'], matrix: Rows): Rows {
    const { heads, channels } = tokens;
    const { sinkTokens, spanRows, mixedRows } = this.#cache;
    const scratch = new Scratch(this.#ops);
    const span = scratch.rows(heads, spanRows, channels, 'rows to be mixed');
    const start = times === 0 ? sinkTokens : firstUnmixed(times, this.#cache);
    const count = firstUnmixed(times + 1, this.#cache) - start;
    if (mixed) this.#ops.copyRows({ input: mixed, out: sliceRows(span, 0, mixedRows) });
    this.#ops.copyRows({
      input: sliceRows(tokens, start, count),
      out: sliceRows(span, spanRows - count, count),
    });
    const out = this.#allocate(heads, channels);
    this.#ops.mixRows({ matrix, input: span, out });
    scratch.release();
    return out;
  }

  #copyOf(rows: Rows): Rows {
    const out = this.#allocate(rows.heads, rows.channels);
    this.#ops.copyRows({ input: rows, out });
    return out;
  }

  #allocate(heads: number, channels: number): Rows {
    const { mixedRows } = this.#cache;
    const buffer = this.#ops.allocate('f32', heads * mixedRows * channels, 'mixtures of tokens');
    return headMajorRows(buffer, heads, mixedRows, channels);
  }

  #release({ key, value }: Mixtures): void {
    for (const rows of [key, value]) if (rows) this.#ops.release(rows.buffer);
  }
}
