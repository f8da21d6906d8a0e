/**
 * Queries or keys with rotary positions, made from un-rotated ones where they are read. What is kept of a text are un-rotated
 * rows: turning them gives bit for bit what the forward pass computed. Turning rotated rows back would not, and equal keys of
 * repeated tokens, which methods must see as ties, would differ by rounding.
 */
import type { Ops } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { sliceRows, tokenMajorRows } from '../../../gpu/rows';
import type { Rotations } from './buffers';

export interface RotatedOptions {
  readonly ops: Ops;
  /** Of a layer without rotary positions the un-rotated rows are the rows. */
  readonly rotations: Rotations;
  readonly heads: number;
  readonly channels: number;
  /** Most tokens of the text. */
  readonly capacity: number;
  /** Layers that are held: all where every block visits every layer, a few where layers come one after the other. */
  readonly layersHeld: number;
  readonly label: string;
}

/** Tokens [0, end) of a layer are there. */
interface HeldLayer {
  layer: number;
  end: number;
  readonly buffer: DeviceBuffer;
}

export class RotatedRows {
  readonly #options: RotatedOptions;
  /** Least recently used first. */
  #held: HeldLayer[] = [];

  /** Throws UserError where the device has no room. */
  constructor(options: RotatedOptions) {
    this.#options = options;
    const { ops, rotations, heads, channels, capacity, layersHeld, label } = options;
    try {
      for (let place = 0; rotations.buffers.length > 0 && place < layersHeld; place++) {
        const buffer = ops.allocate('f32', heads * capacity * channels, label);
        this.#held.push({ layer: -1, end: 0, buffer });
      }
    } catch (error) {
      this.release();
      throw error;
    }
  }

  get buffers(): readonly DeviceBuffer[] {
    return this.#held.map(({ buffer }) => buffer);
  }

  /**
   * Rows [0, end) of `unrotated`, a layer's rows from token 0 on, with rotary positions. They are there until more layers were asked
   * for than are held: record what reads them before anything else has a chance to ask.
   */
  of(layer: number, unrotated: Rows, end: number): Rows {
    const { ops, rotations, heads, channels, capacity } = this.#options;
    const rotation = rotations.of(layer);
    if (!rotation) return sliceRows(unrotated, 0, end);
    const held = this.#place(layer);
    const view = tokenMajorRows(held.buffer, heads, capacity, channels);
    if (end > held.end) {
      ops.rotate({
        input: sliceRows(unrotated, held.end, end - held.end),
        table: rotation,
        positions: { start: held.end, step: 1 },
        out: sliceRows(view, held.end, end - held.end),
      });
      held.end = end;
    }
    return sliceRows(view, 0, end);
  }

  /** Forgets tokens from `length` on: others may come there. */
  truncate(length: number): void {
    for (const held of this.#held) held.end = Math.min(held.end, length);
  }

  release(): void {
    this.#options.ops.release(...this.buffers);
    this.#held = [];
  }

  #place(layer: number): HeldLayer {
    const place = this.#held.find((held) => held.layer === layer) ?? this.#held[0];
    if (place!.layer !== layer) Object.assign(place!, { layer, end: 0 });
    this.#held = [...this.#held.filter((held) => held !== place), place!];
    return place!;
  }
}
