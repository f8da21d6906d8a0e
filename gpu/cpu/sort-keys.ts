/**
 * keys[i] = an unsigned integer in the order of data[start + i], for every i < keys.length: the bits of a positive number
 * with the sign set, those of a negative one inverted. NaN counts as −∞, −0 as +0.
 */
export function toSortKeys(data: Float32Array, start: number, keys: Uint32Array): void {
  const bits = new Uint32Array(data.buffer, data.byteOffset + 4 * start, keys.length);
  for (let i = 0; i < keys.length; i++) {
    const b = bits[i]!;
    const magnitude = b & 0x7fffffff;
    if (magnitude > 0x7f800000) keys[i] = 0x007fffff;
    else if (magnitude === 0) keys[i] = 0x80000000;
    else keys[i] = b >>> 31 === 1 ? ~b : b | 0x80000000;
  }
}
