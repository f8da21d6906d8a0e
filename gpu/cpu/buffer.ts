/** Buffers of the CPU backend: one typed array each. */
import { UserError } from '../../src/base/user-error';
import { floatsOfHalves } from '../halves';
import { type DeviceBuffer, type ElementType, isHalf, type Rows, wordsOf } from '../rows';
import { type RowStarts, rowStarts } from './panel';

type CpuArray = Float32Array | Uint32Array | Uint16Array;

/** Storage of the CPU backend; `data` is dropped when the buffer is released. */
export class CpuBuffer implements DeviceBuffer {
  readonly type: ElementType;
  readonly length: number;
  readonly label: string;
  data: CpuArray | undefined;

  constructor(type: ElementType, length: number, label: string) {
    this.type = type;
    this.length = length;
    this.label = label;
    this.data = allocateArray(type, length, label);
  }
}

function allocateArray(type: ElementType, length: number, label: string): CpuArray {
  if (!Number.isSafeInteger(length) || length < 0) {
    throw new RangeError(`allocate: the length of ${label} is ${length}, but must be an integer ≥ 0`);
  }
  try {
    if (isHalf(type)) return new Uint16Array(length);
    return type === 'f32' ? new Float32Array(length) : new Uint32Array(length);
  } catch {
    const mebibytes = Math.ceil((wordsOf(type, length) * 4) / 2 ** 20);
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

/** The elements of a buffer of floats or integers, not copied. */
export function dataOf(buffer: DeviceBuffer): Float32Array | Uint32Array {
  const data = arrayOf(buffer);
  if (data instanceof Uint16Array) throw new TypeError(`${buffer.label} holds halves`);
  return data;
}

/** Rows [from, from + count) of one head of a view, of floats or halves; of halves a copy. */
export function floatRows(view: Rows, head: number, from: number, count: number): RowStarts {
  const { buffer, channels, rowStride } = view;
  const part = { ...view, rows: count, offset: view.offset + from * rowStride };
  if (!isHalf(buffer.type)) return { data: floatsOf(buffer), starts: rowStarts(part, head) };
  const halves = arrayOf(buffer) as Uint16Array;
  const data = new Float32Array(count * channels);
  const starts = rowStarts(part, head);
  for (const [row, start] of starts.entries()) {
    data.set(floatsOfHalves(buffer.type, halves.subarray(start, start + channels)), row * channels);
    starts[row] = row * channels;
  }
  return { data, starts };
}

export function arrayOf(buffer: DeviceBuffer): CpuArray {
  if (!(buffer instanceof CpuBuffer)) throw new TypeError(`${buffer.label} is no buffer of the CPU backend`);
  if (!buffer.data) throw new Error(`${buffer.label} is used after its release`);
  return buffer.data;
}
