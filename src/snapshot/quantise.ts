/**
 * Attention weights as one byte each on a log scale, for the recorded study's pictures: 64 levels over the five decades in
 * which weights have colours of their own (components/map/colour-tables.ts), so that a colour is off by at most two of 256 steps.
 */

/** Weights up to 10^LEAST_EXPONENT are level 1. */
const LEAST_EXPONENT = -5;
const LEVELS_PER_DECADE = 64 / -LEAST_EXPONENT;

/** 1 … 65 for weights 10^-5 … 1, 0 for a weight of 0. */
export function quantiseWeights(weights: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(weights, (weight) =>
    weight > 0 ? 1 + clampByte((Math.log10(weight) - LEAST_EXPONENT) * LEVELS_PER_DECADE) : 0,
  );
}

const weightOfLevel = Float32Array.from({ length: 256 }, (_, level) =>
  level === 0 ? 0 : 10 ** (LEAST_EXPONENT + (level - 1) / LEVELS_PER_DECADE),
);

export function restoreWeights(levels: Uint8Array): Float32Array {
  const weights = new Float32Array(levels.length);
  for (let at = 0; at < levels.length; at++) weights[at] = weightOfLevel[levels[at]!]!;
  return weights;
}

/** Shares 0 … 1 as bytes 0 … 255. */
export function quantiseShares(shares: ArrayLike<number>): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(shares, (share) => clampByte(share * 255));
}

export function restoreShares(bytes: Uint8Array): Float32Array {
  const shares = new Float32Array(bytes.length);
  for (let at = 0; at < bytes.length; at++) shares[at] = bytes[at]! / 255;
  return shares;
}

/** Flags 0 or 1, eight to a byte, the first in the lowest bit. */
export function packBits(flags: Uint8Array): Uint8Array<ArrayBuffer> {
  const packed = new Uint8Array(Math.ceil(flags.length / 8));
  for (const [at, flag] of flags.entries()) packed[at >> 3]! |= flag << (at & 7);
  return packed;
}

/** The flags again, `length` of them; those beyond the bytes are 0. */
export function unpackBits(packed: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const flags = new Uint8Array(length);
  for (let at = 0; at < length; at++) flags[at] = ((packed[at >> 3] ?? 0) >> (at & 7)) & 1;
  return flags;
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

/** `count` pictures again, zeros above their diagonals. Throws RangeError for bytes of another number of pictures. */
export function fromBelowDiagonal(packed: Uint8Array, side: number, count: number): Uint8Array<ArrayBuffer> {
  if (packed.length !== count * triangle(side)) {
    throw new RangeError(`${packed.length} bytes are not ${count} pictures of ${side} pixels`);
  }
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

/**
 * Pictures below their diagonals as differences from what the pixels above and to the left predict, their mean: smooth
 * pictures deflate better so. Differences are modulo 256.
 */
export function differences(packed: Uint8Array, side: number): Uint8Array<ArrayBuffer> {
  return alongLines(packed, side, (value, predicted) => value - predicted, packed);
}

/** The pictures that `differences` was given. */
export function fromDifferences(packed: Uint8Array, side: number): Uint8Array<ArrayBuffer> {
  return alongLines(packed, side, (value, predicted) => value + predicted);
}

/** What `step` makes of each byte and its prediction, which is from `known`, or from the bytes made so far. */
function alongLines(
  packed: Uint8Array,
  side: number,
  step: (value: number, predicted: number) => number,
  known?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const made = new Uint8Array(packed.length);
  const from = known ?? made;
  let at = 0;
  for (let line = 0; at < packed.length; line = (line + 1) % side) {
    for (let x = 0; x <= line; x++, at++) {
      const above = x < line ? from[at - line]! : null;
      const left = x > 0 ? from[at - 1]! : null;
      const predicted = above === null ? (left ?? 0) : left === null ? above : (above + left) >> 1;
      made[at] = step(packed[at]!, predicted);
    }
  }
  return made;
}

export function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

function clampByte(value: number): number {
  return Math.min(255, Math.max(0, Math.round(value)));
}
