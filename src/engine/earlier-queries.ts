/** The last queries of every layer, for methods that look at more than a block's own. */
import type { Ops } from '../../gpu/ops';
import { headMajorRows, type Rows, sliceRows } from '../../gpu/rows';
import type { ModelConfig } from '../model/architectures/config';

interface LayerQueries {
  /** [H, capacity, d]: the last row is that of token `end` − 1. */
  rows: Rows;
  /** As large; what is kept is moved from one to the other. Null: all are kept, and none is moved. */
  spare: Rows | null;
  end: number;
  marked: { readonly rows: Rows; readonly end: number } | null;
}

export class EarlierQueries {
  readonly #ops: Ops;
  readonly #heads: number;
  readonly #channels: number;
  readonly #capacity: number;
  readonly #keepsAll: boolean;
  readonly #layers = new Map<number, LayerQueries>();

  /** Remembers the last `wanted` queries of each layer. `most`: so many will be noted at most; Infinity: nobody knows. */
  constructor(ops: Ops, { queryHeads, headDimension }: ModelConfig, wanted: number, most: number) {
    this.#ops = ops;
    this.#heads = queryHeads;
    this.#channels = headDimension;
    this.#capacity = Math.min(wanted, most);
    this.#keepsAll = wanted >= most;
  }

  /** Of `layer` those before token `end`, [H, min(count, end), d], which is where what was noted last ended. */
  before(layer: number, end: number): Rows {
    const held = this.#of(layer);
    if (held.end !== end)
      throw new RangeError(`queries before ${held.end} are held, not those before ${end}`);
    const count = Math.min(this.#capacity, end);
    if (!held.spare) return sliceRows(held.rows, 0, count);
    return sliceRows(held.rows, this.#capacity - count, count);
  }

  /** Takes over a block's queries [H, n, d], which end before token `end`. */
  note(layer: number, query: Rows, end: number): void {
    const held = this.#of(layer);
    if (!held.spare) {
      this.#ops.copyRows({ input: query, out: sliceRows(held.rows, end - query.rows, query.rows) });
      held.end = end;
      return;
    }
    const fresh = Math.min(query.rows, this.#capacity);
    const stale = this.#capacity - fresh;
    this.#ops.copyRows({ input: sliceRows(held.rows, fresh, stale), out: sliceRows(held.spare, 0, stale) });
    this.#ops.copyRows({
      input: sliceRows(query, query.rows - fresh, fresh),
      out: sliceRows(held.spare, stale, fresh),
    });
    [held.rows, held.spare] = [held.spare, held.rows];
    held.end = end;
  }

  /** Remembers what is held now. */
  mark(): void {
    for (const held of this.#layers.values()) {
      // What comes later stands behind, where all are kept.
      const rows = held.spare ? (held.marked?.rows ?? this.#make('queries before the answer')) : held.rows;
      if (held.spare) this.#ops.copyRows({ input: held.rows, out: rows });
      held.marked = { rows, end: held.end };
    }
  }

  /** Returns to what was remembered. */
  rewind(): void {
    for (const held of this.#layers.values()) {
      if (!held.marked) continue;
      if (held.spare) this.#ops.copyRows({ input: held.marked.rows, out: held.rows });
      held.end = held.marked.end;
    }
  }

  release(): void {
    for (const { rows, spare, marked } of this.#layers.values()) {
      this.#ops.release(rows.buffer);
      if (spare) this.#ops.release(spare.buffer, ...(marked ? [marked.rows.buffer] : []));
    }
    this.#layers.clear();
  }

  #of(layer: number): LayerQueries {
    let held = this.#layers.get(layer);
    if (!held) {
      held = {
        rows: this.#make('earlier queries'),
        spare: this.#keepsAll ? null : this.#make('earlier queries'),
        end: 0,
        marked: null,
      };
      this.#layers.set(layer, held);
    }
    return held;
  }

  #make(label: string): Rows {
    const length = this.#heads * this.#capacity * this.#channels;
    return headMajorRows(
      this.#ops.allocate('f32', length, label),
      this.#heads,
      this.#capacity,
      this.#channels,
    );
  }
}
