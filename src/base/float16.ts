let float32Bits: Uint32Array | undefined;

/** F16 as float32, exactly, through a table of the bit patterns of all 65,536 values. NaN payloads survive. */
export function fromFloat16(halves: Uint16Array): Float32Array {
  float32Bits ??= Uint32Array.from({ length: 65536 }, (_, half) => float32BitsOf(half));
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = float32Bits[halves[i]!]!;
  return new Float32Array(bits.buffer);
}

/** IEEE 754 binary16 to binary32, on bits: sign, 5 exponent bits with bias 15, 10 mantissa bits. */
function float32BitsOf(half: number): number {
  const sign = (half & 0x8000) << 16;
  const exponent = (half >> 10) & 31;
  const mantissa = half & 1023;
  if (exponent === 31) return sign | 0x7f800000 | (mantissa << 13);
  if (exponent > 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
  if (mantissa === 0) return sign;
  // Subnormal: mantissa · 2^-24. Shift the leading one up to bit 10, where binary32 leaves it implicit.
  const shift = Math.clz32(mantissa) - 21;
  return sign | ((113 - shift) << 23) | (((mantissa << shift) & 1023) << 13);
}

/** float32 as F16, to nearest, ties to even; from 65,520 on it is infinite. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, float16Of);
}

function float16Of(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >> 13) & 1023);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) return sign | float16Subnormal(magnitude);
  // The 13 bits that fall away: half of them rounds up, exactly half only where that makes the result even.
  const rebiased = magnitude - (112 << 23);
  return sign | ((rebiased + 0xfff + ((rebiased >> 13) & 1)) >> 13);
}

/** Below 2^-14 the result counts steps of 2^-24 (1,024 of them are the smallest normal value, whose bits follow on). */
function float16Subnormal(magnitude: number): number {
  const exponent = magnitude >> 23;
  if (exponent < 102) return 0;
  const steps = ((magnitude & 0x7fffff) | 0x800000) * 2 ** (exponent - 126);
  const whole = Math.floor(steps);
  const rest = steps - whole;
  return rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole;
}

/** BF16, the upper half of a float32, as float32. Written as bits, so that NaN payloads survive. */
export function fromBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

/** Floats as F16, without a loss; null where one is no F16. */
export function exactFloat16(values: Float32Array): Uint16Array | null {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!;
    const magnitude = word & 0x7fffffff;
    // Normal ones, which nearly all are, lose 13 zeros.
    if (magnitude >= 0x38800000 && magnitude < 0x47800000 && (word & 0x1fff) === 0) {
      halves[i] = ((word >>> 16) & 0x8000) | ((magnitude - 0x38000000) >> 13);
    } else {
      const half = float16Of(word);
      if (float32BitsOf(half) >>> 0 !== word) return null;
      halves[i] = half;
    }
  }
  return halves;
}

/** Floats as BF16, without a loss; null where one is no BF16. */
export function exactBfloat16(values: Float32Array): Uint16Array | null {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!;
    if ((word & 0xffff) !== 0) return null;
    halves[i] = word >>> 16;
  }
  return halves;
}
