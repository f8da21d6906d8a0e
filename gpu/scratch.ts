/** Device buffers of one piece of work, which overwrites all of them; released together. */
import type { Ops, RowScalars } from './ops';
import type { DeviceBuffer, Rows } from './rows';
import { headMajorRows } from './rows';

export class Scratch {
  readonly ops: Ops;
  readonly #buffers: DeviceBuffer[] = [];

  constructor(ops: Ops) {
    this.ops = ops;
  }

  floats(length: number, label: string): DeviceBuffer {
    return this.keep(this.ops.scratch('f32', length, label));
  }

  integers(length: number, label: string): DeviceBuffer {
    return this.keep(this.ops.scratch('u32', length, label));
  }

  upload(data: Float32Array | Uint32Array, label: string): DeviceBuffer {
    return this.keep(this.ops.upload(data, label));
  }

  rows(heads: number, rows: number, channels: number, label: string): Rows {
    return headMajorRows(this.floats(heads * rows * channels, label), heads, rows, channels);
  }

  scalars(heads: number, rows: number, label: string): RowScalars {
    return { buffer: this.floats(heads * rows, label), offset: 0, headStride: rows };
  }

  keep(buffer: DeviceBuffer): DeviceBuffer {
    this.#buffers.push(buffer);
    return buffer;
  }

  release(): void {
    this.ops.release(...this.#buffers);
    this.#buffers.length = 0;
  }
}
