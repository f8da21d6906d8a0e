/** Floats of 16 bits as floats of 32, and back. */
import { exactBfloat16, exactFloat16, fromBfloat16, fromFloat16 } from '../src/base/float16';
import type { HalfType } from './rows';

/** The values that these bits are, exactly. */
export function floatsOfHalves(type: HalfType, bits: Uint16Array): Float32Array {
  return type === 'f16' ? fromFloat16(bits) : fromBfloat16(bits);
}

/** The bits that these values are; null where one needs more than 16 of them. */
export function halvesOfFloats(type: HalfType, values: Float32Array): Uint16Array | null {
  return type === 'f16' ? exactFloat16(values) : exactBfloat16(values);
}
