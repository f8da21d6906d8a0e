/** How GGUF files store values (ggml.h, ggml_type; sizes: ggml-common.h). Each block holds so many values in so many bytes. */
import { fromFloat16 } from '../../base/float16';
import { toFloat32 } from '../files/tensor-values';

export interface GgufValueType {
  readonly name: string;
  readonly blockValues: number;
  readonly blockBytes: number;
  /** The values of whole blocks; may be a view of the bytes. Null for types that are not read. */
  readonly decode: ((bytes: Uint8Array) => Float32Array) | null;
}

/** Values in a super-block of the K types. */
const SUPER = 256;

const types: readonly (readonly [id: number, GgufValueType])[] = [
  [0, plain('F32', 4)],
  [1, plain('F16', 2)],
  [2, type('Q4_0', 32, 18, decodeQ4_0)],
  [3, type('Q4_1', 32, 20, decodeQ4_1)],
  [6, type('Q5_0', 32, 22, decodeQ5_0)],
  [7, type('Q5_1', 32, 24, decodeQ5_1)],
  [8, type('Q8_0', 32, 34, decodeQ8_0)],
  [9, type('Q8_1', 32, 36)],
  [10, type('Q2_K', SUPER, 84)],
  [11, type('Q3_K', SUPER, 110)],
  [12, type('Q4_K', SUPER, 144, decodeQ4_K)],
  [13, type('Q5_K', SUPER, 176, decodeQ5_K)],
  [14, type('Q6_K', SUPER, 210, decodeQ6_K)],
  [15, type('Q8_K', SUPER, 292)],
  [16, type('IQ2_XXS', SUPER, 66)],
  [17, type('IQ2_XS', SUPER, 74)],
  [18, type('IQ3_XXS', SUPER, 98)],
  [19, type('IQ1_S', SUPER, 50)],
  [20, type('IQ4_NL', 32, 18)],
  [21, type('IQ3_S', SUPER, 110)],
  [22, type('IQ2_S', SUPER, 82)],
  [23, type('IQ4_XS', SUPER, 136)],
  [24, type('I8', 1, 1)],
  [25, type('I16', 1, 2)],
  [26, type('I32', 1, 4)],
  [27, type('I64', 1, 8)],
  [28, type('F64', 1, 8)],
  [29, type('IQ1_M', SUPER, 56)],
  [30, plain('BF16', 2)],
  [34, type('TQ1_0', SUPER, 54)],
  [35, type('TQ2_0', SUPER, 66)],
  [39, type('MXFP4', 32, 17)],
  [40, type('NVFP4', 64, 36)],
  [41, type('Q1_0', 128, 18)],
];

/** By the number that stands in a file. */
export const valueTypes: ReadonlyMap<number, GgufValueType> = new Map(types);

/** The names of the types that are read, for sentences. */
export const readableTypes: string = types
  .filter(([, { decode }]) => decode !== null)
  .map(([, { name }]) => name)
  .join(', ');

function type(
  name: string,
  blockValues: number,
  blockBytes: number,
  write: ((bytes: Uint8Array, out: Float32Array) => void) | null = null,
): GgufValueType {
  const decode = (bytes: Uint8Array): Float32Array => {
    const out = new Float32Array((bytes.length / blockBytes) * blockValues);
    write!(bytes, out);
    return out;
  };
  return { name, blockValues, blockBytes, decode: write && decode };
}

/** A type that safetensors has as well. */
function plain(name: 'F32' | 'F16' | 'BF16', blockBytes: number): GgufValueType {
  return { name, blockValues: 1, blockBytes, decode: (bytes) => toFloat32(name, name, bytes) };
}

// Scales have 11 significant bits and what they multiply has at most 8, or 6 and 5 in turn: all products here are exact, and the
// one sum is rounded when it is stored, as in the reference (gguf-py, quants.py). So values are equal to the last bit.

/** Scale, then 16 bytes: value i in the low half of byte i, value i + 16 in its high half. Values are −8 to 7. */
function decodeQ4_0(bytes: Uint8Array, out: Float32Array): void {
  const scales = scalesOf(bytes, 18);
  for (let block = 0, at = 2, to = 0; block < scales.length; block++, at += 18, to += 32) {
    const scale = scales[block]!;
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + i]!;
      out[to + i] = scale * ((pair & 15) - 8);
      out[to + i + 16] = scale * ((pair >> 4) - 8);
    }
  }
}

/** Scale and minimum, then halves as in Q4_0, 0 to 15. */
function decodeQ4_1(bytes: Uint8Array, out: Float32Array): void {
  const scales = scalesOf(bytes, 20);
  const minimums = scalesOf(bytes, 20, 2);
  for (let block = 0, at = 4, to = 0; block < scales.length; block++, at += 20, to += 32) {
    const scale = scales[block]!;
    const minimum = minimums[block]!;
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + i]!;
      out[to + i] = scale * (pair & 15) + minimum;
      out[to + i + 16] = scale * (pair >> 4) + minimum;
    }
  }
}

/** Scale, 32 fifth bits (bit i of value i), then halves as in Q4_0. Values are −16 to 15. */
function decodeQ5_0(bytes: Uint8Array, out: Float32Array): void {
  const scales = scalesOf(bytes, 22);
  const view = viewOf(bytes);
  for (let block = 0, at = 6, to = 0; block < scales.length; block++, at += 22, to += 32) {
    const scale = scales[block]!;
    const high = view.getUint32(at - 4, true);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + i]!;
      out[to + i] = scale * (((pair & 15) | (((high >>> i) & 1) << 4)) - 16);
      out[to + i + 16] = scale * (((pair >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16);
    }
  }
}

/** Scale and minimum, 32 fifth bits, then halves as in Q4_0, 0 to 31. */
function decodeQ5_1(bytes: Uint8Array, out: Float32Array): void {
  const scales = scalesOf(bytes, 24);
  const minimums = scalesOf(bytes, 24, 2);
  const view = viewOf(bytes);
  for (let block = 0, at = 8, to = 0; block < scales.length; block++, at += 24, to += 32) {
    const scale = scales[block]!;
    const minimum = minimums[block]!;
    const high = view.getUint32(at - 4, true);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + i]!;
      out[to + i] = scale * ((pair & 15) | (((high >>> i) & 1) << 4)) + minimum;
      out[to + i + 16] = scale * ((pair >> 4) | (((high >>> (i + 16)) & 1) << 4)) + minimum;
    }
  }
}

/** Scale, then 32 signed bytes. */
function decodeQ8_0(bytes: Uint8Array, out: Float32Array): void {
  const scales = scalesOf(bytes, 34);
  for (let block = 0, at = 2, to = 0; block < scales.length; block++, at += 34, to += 32) {
    const scale = scales[block]!;
    for (let i = 0; i < 32; i++) out[to + i] = scale * ((bytes[at + i]! << 24) >> 24);
  }
}

/**
 * Scale and minimum of the super-block, 12 bytes with a 6-bit scale and minimum for each of its 8 groups of 32, then 128 bytes:
 * two groups in 32 bytes, the first in their low halves, the second in their high ones.
 */
function decodeQ4_K(bytes: Uint8Array, out: Float32Array): void {
  decodeGroups(bytes, out, 144, 0);
}

/** As Q4_K, with 32 bytes of fifth bits before the halves: bit g of byte i belongs to value i of group g. */
function decodeQ5_K(bytes: Uint8Array, out: Float32Array): void {
  decodeGroups(bytes, out, 176, 32);
}

function decodeGroups(bytes: Uint8Array, out: Float32Array, blockBytes: number, highBytes: number): void {
  const scales = scalesOf(bytes, blockBytes);
  const minimums = scalesOf(bytes, blockBytes, 2);
  for (let block = 0; block < scales.length; block++) {
    const packed = block * blockBytes + 4;
    const high = packed + 12;
    const low = high + highBytes;
    for (let group = 0; group < 8; group++) {
      const to = block * SUPER + group * 32;
      const from = low + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      const scale = scales[block]! * groupScale(bytes, packed, group);
      const minimum = minimums[block]! * groupMinimum(bytes, packed, group);
      for (let i = 0; i < 32; i++) {
        const fifth = highBytes === 0 ? 0 : ((bytes[high + i]! >> group) & 1) << 4;
        out[to + i] = scale * (((bytes[from + i]! >> shift) & 15) | fifth) - minimum;
      }
    }
  }
}

/** Groups 0 to 3: low six bits of bytes 0 to 3. Groups 4 to 7: low halves of bytes 8 to 11 below the high bits of bytes 0 to 3. */
function groupScale(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + group]! & 63;
  return (bytes[at + group + 4]! & 15) | ((bytes[at + group - 4]! >> 6) << 4);
}

/** The same of bytes 4 to 7 and of the high halves of bytes 8 to 11. */
function groupMinimum(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + group + 4]! & 63;
  return (bytes[at + group + 4]! >> 4) | ((bytes[at + group]! >> 6) << 4);
}

/**
 * 128 bytes with the low halves, 64 with pairs of high bits, 16 signed scales, one for each 16 values, then the super-block's
 * scale. Half a super-block at a time: 128 values in 64 and 32 bytes. Values are −32 to 31.
 */
function decodeQ6_K(bytes: Uint8Array, out: Float32Array): void {
  const scales = scalesOf(bytes, 210, 208);
  for (let block = 0; block < scales.length; block++) {
    const begin = block * 210;
    for (let group = 0; group < 16; group++) {
      const half = group >> 3;
      const quarter = (group >> 1) & 3;
      const place = (group & 1) * 16;
      const low = begin + 64 * half + 32 * (quarter & 1) + place;
      const high = begin + 128 + 32 * half + place;
      const [lowShift, highShift] = [4 * (quarter >> 1), 2 * quarter];
      const scale = scales[block]! * ((bytes[begin + 192 + group]! << 24) >> 24);
      const to = block * SUPER + group * 16;
      for (let i = 0; i < 16; i++) {
        const value = ((bytes[low + i]! >> lowShift) & 15) | (((bytes[high + i]! >> highShift) & 3) << 4);
        out[to + i] = scale * (value - 32);
      }
    }
  }
}

/** The F16 number at `offset` of every block. */
function scalesOf(bytes: Uint8Array, blockBytes: number, offset = 0): Float32Array {
  const view = viewOf(bytes);
  const halves = new Uint16Array(bytes.length / blockBytes);
  for (let i = 0; i < halves.length; i++) halves[i] = view.getUint16(i * blockBytes + offset, true);
  return fromFloat16(halves);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
