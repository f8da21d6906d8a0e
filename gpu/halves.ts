/** Floats of 16 bits as floats of 32. */
import { fromBfloat16, fromFloat16 } from '../src/base/float16';
import type { HalfType } from './rows';

/** The values that these bits are, exactly. */
export function floatsOfHalves(type: HalfType, bits: Uint16Array): Float32Array {
  return type === 'f16' ? fromFloat16(bits) : fromBfloat16(bits);
}
