/** Device buffers that are given back together. */
import type { Ops } from './ops';
import type { DeviceBuffer } from './rows';

export class Allocation {
  readonly #ops: Pick<Ops, 'allocate' | 'release'>;
  readonly #buffers: DeviceBuffer[] = [];

  constructor(ops: Pick<Ops, 'allocate' | 'release'>) {
    this.#ops = ops;
  }

  /** Buffer of zeros; like `integers`, throws UserError where the device has no room. */
  floats(length: number, label: string): DeviceBuffer {
    const buffer = this.#ops.allocate('f32', length, label);
    this.#buffers.push(buffer);
    return buffer;
  }

  integers(length: number, label: string): DeviceBuffer {
    const buffer = this.#ops.allocate('u32', length, label);
    this.#buffers.push(buffer);
    return buffer;
  }

  /** Takes buffers over. */
  add(...buffers: DeviceBuffer[]): void {
    this.#buffers.push(...buffers);
  }

  release(): void {
    this.#ops.release(...this.#buffers.splice(0));
  }
}
