/** Attention weights as one byte each on a log scale, for the recorded study: a sixteenth of a decade a step. */

/** Weights at or below it are byte 0. */
const smallestExponent = -7;
const stepsPerDecade = 255 / -smallestExponent;

/** 0 … 255 for weights 10^-7 … 1; 0 stands for anything smaller. */
export function quantiseWeights(weights: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(weights, (weight) =>
    weight > 0 ? clampByte((Math.log10(weight) - smallestExponent) * stepsPerDecade) : 0,
  );
}

export function restoreWeights(bytes: Uint8Array): Float32Array {
  return Float32Array.from(bytes, (byte) =>
    byte === 0 ? 0 : 10 ** (smallestExponent + byte / stepsPerDecade),
  );
}

/** Shares 0 … 1 as bytes 0 … 255. */
export function quantiseShares(shares: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(shares, (share) => clampByte(share * 255));
}

export function restoreShares(bytes: Uint8Array): Float32Array {
  return Float32Array.from(bytes, (byte) => byte / 255);
}

/** Whether each value reaches 1, eight to a byte, the first in the lowest bit. */
export function packReached(values: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(Math.ceil(values.length / 8));
  for (let at = 0; at < values.length; at++) if (values[at]! >= 1) packed[at >> 3]! |= 1 << (at & 7);
  return packed;
}

/** 1 where a value had reached 1, otherwise 0; what lies beyond the bytes is 0. */
export function unpackReached(packed: Uint8Array, length: number): Float32Array {
  return Float32Array.from({ length }, (_, at) => ((packed[at >> 3] ?? 0) >> (at & 7)) & 1);
}

/** Of square pictures of `side` pixels, one behind the other, what lies on the diagonal or below: all that a causal map has. */
export function belowDiagonal(pictures: Uint8Array, side: number): Uint8Array<ArrayBuffer> {
  const count = side === 0 ? 0 : pictures.length / side ** 2;
  const packed = new Uint8Array(count * triangle(side));
  let to = 0;
  for (let line = 0; line < count * side; line++) {
    const length = (line % side) + 1;
    packed.set(pictures.subarray(line * side, line * side + length), to);
    to += length;
  }
  return packed;
}

/** The pictures again, zeros above their diagonals. Throws RangeError for bytes that are no whole pictures. */
export function fromBelowDiagonal(packed: Uint8Array, side: number): Uint8Array<ArrayBuffer> {
  const count = side === 0 ? 0 : packed.length / triangle(side);
  if (!Number.isInteger(count))
    throw new RangeError(`${packed.length} bytes are no pictures of ${side} pixels`);
  const pictures = new Uint8Array(count * side ** 2);
  let from = 0;
  for (let line = 0; line < count * side; line++) {
    const length = (line % side) + 1;
    pictures.set(packed.subarray(from, from + length), line * side);
    from += length;
  }
  return pictures;
}

const triangle = (side: number): number => (side * (side + 1)) / 2;

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function clampByte(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)));
}
