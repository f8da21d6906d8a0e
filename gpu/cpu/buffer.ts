/** Buffers of the CPU backend: one typed array each. */
import { UserError } from '../../src/base/user-error';
import type { DeviceBuffer, ElementType } from '../rows';

/** Storage of the CPU backend; `data` is dropped when the buffer is released. */
export class CpuBuffer implements DeviceBuffer {
  readonly type: ElementType;
  readonly length: number;
  readonly label: string;
  data: Float32Array | Uint32Array | undefined;

  constructor(type: ElementType, length: number, label: string) {
    this.type = type;
    this.length = length;
    this.label = label;
    this.data = allocateArray(type, length, label);
  }
}

function allocateArray(type: ElementType, length: number, label: string): Float32Array | Uint32Array {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(`allocate: the length of ${label} is ${length}, but must be an integer ≥ 0`);
  }
  try {
    return type === 'f32' ? new Float32Array(length) : new Uint32Array(length);
  } catch {
    const mebibytes = Math.ceil((length * 4) / 2 ** 20);
    throw new UserError(
      `There is no memory for ${label} (${mebibytes} MiB); choose a shorter text or a smaller model.`,
    );
  }
}

/** The elements of a float buffer, not copied. */
export function floatsOf(buffer: DeviceBuffer): Float32Array {
  const data = dataOf(buffer);
  if (!(data instanceof Float32Array)) throw new TypeError(`${buffer.label} holds integers, not floats`);
  return data;
}

/** The elements of an integer buffer, not copied. */
export function integersOf(buffer: DeviceBuffer): Uint32Array {
  const data = dataOf(buffer);
  if (!(data instanceof Uint32Array)) throw new TypeError(`${buffer.label} holds floats, not integers`);
  return data;
}

export function dataOf(buffer: DeviceBuffer): Float32Array | Uint32Array {
  if (!(buffer instanceof CpuBuffer)) throw new TypeError(`${buffer.label} is no buffer of the CPU backend`);
  if (!buffer.data) throw new Error(`${buffer.label} is used after its release`);
  return buffer.data;
}
