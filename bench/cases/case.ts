import type { Ops } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import { randomFloats } from '../random';

/** Sizes of the bundled model's kind, larger where the device is faster. */
export interface Sizes {
  /** Query rows. */
  readonly rows: number;
  /** Key rows. */
  readonly keys: number;
  readonly heads: number;
  readonly groups: number;
  /** Channels of a head. */
  readonly channels: number;
  /** Channels of the model. */
  readonly width: number;
}

/** An operation with its inputs in place. */
interface PreparedCase {
  readonly size: string;
  readonly flops: number;
  readonly bytes: number;
  /** What `encode` writes. */
  readonly out: DeviceBuffer;
  encode(): void;
}

/** One operation at any size. */
export interface KernelCase {
  readonly name: string;
  /** Largest error, relative to the largest value. Integers must be equal. */
  readonly tolerance: number;
  prepare(ops: Ops, sizes: Sizes): PreparedCase;
}

export function floats(ops: Ops, length: number, seed: number): DeviceBuffer {
  return ops.upload(randomFloats(length, seed), 'input');
}
