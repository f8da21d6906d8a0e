import { fromBfloat16, fromFloat16 } from '../../base/float16';
import { quote } from '../../base/quote';
import { UserError } from '../../base/user-error';

/** Bytes per value of each type that safetensors files carry. */
export const bytesPerValue = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  F8_E8M0: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
  C64: 8,
} as const;

export type ValueType = keyof typeof bytesPerValue;

export function isValueType(name: unknown): name is ValueType {
  return typeof name === 'string' && Object.hasOwn(bytesPerValue, name);
}

/**
 * Values of a floating-point tensor as float32: exact for F32, F16 and BF16, rounded to nearest for F64.
 * F32 at an aligned offset is returned as a view of the bytes, everything else as a new array.
 */
export function toFloat32(name: string, type: string, bytes: Uint8Array): Float32Array {
  switch (type) {
    case 'F32':
      return view(bytes, Float32Array);
    case 'F64':
      return new Float32Array(view(bytes, Float64Array));
    case 'BF16':
      return fromBfloat16(view(bytes, Uint16Array));
    case 'F16':
      return fromFloat16(view(bytes, Uint16Array));
    default:
      throw new UserError(
        `Tensor ${quote(name)} holds ${type} values where F32, F16, BF16 or F64 are needed; convert it first.`,
      );
  }
}

/** Values of an integer tensor as int32. Every 64-bit or unsigned value must fit; truth values become 0 and 1. */
export function toInt32(name: string, type: string, bytes: Uint8Array): Int32Array {
  switch (type) {
    case 'I32':
      return view(bytes, Int32Array);
    case 'BOOL':
    case 'U8':
      return Int32Array.from(bytes);
    case 'I8':
      return Int32Array.from(view(bytes, Int8Array));
    case 'U16':
      return Int32Array.from(view(bytes, Uint16Array));
    case 'I16':
      return Int32Array.from(view(bytes, Int16Array));
    case 'U32':
      return fitted(name, view(bytes, Uint32Array));
    case 'I64':
      return fitted(name, view(bytes, BigInt64Array));
    case 'U64':
      return fitted(name, view(bytes, BigUint64Array));
    default:
      throw new UserError(
        `Tensor ${quote(name)} holds ${type} values where integers are needed; convert it first.`,
      );
  }
}

function fitted(name: string, values: Uint32Array | BigInt64Array | BigUint64Array): Int32Array {
  const result = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    result[i] = value;
    if (result[i] !== value) {
      throw new UserError(
        `Tensor ${quote(name)} holds the value ${values[i]}, which does not fit into 32 bits.`,
      );
    }
  }
  return result;
}

interface ArrayType<T> {
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
  readonly BYTES_PER_ELEMENT: number;
}

/** A typed view of the bytes, copied only where the offset is not a multiple of the value's size. */
function view<T>(bytes: Uint8Array, type: ArrayType<T>): T {
  // Not slice(): on Node's Buffer that is another view.
  const aligned = bytes.byteOffset % type.BYTES_PER_ELEMENT === 0 ? bytes : new Uint8Array(bytes);
  return new type(aligned.buffer, aligned.byteOffset, bytes.byteLength / type.BYTES_PER_ELEMENT);
}
