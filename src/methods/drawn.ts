/** Numbers that look drawn, and are the same for the same seed and place everywhere. */

/** In [0, 1), from all arguments and nothing else; 24 bits, so that it is the same as a 32-bit float. */
export function drawn(seed: number, ...place: readonly number[]): number {
  let state = mix(seed);
  for (const part of place) state = mix((state ^ part) + 0x9e3779b9);
  return (state >>> 8) / 2 ** 24;
}

/** Normally distributed, mean 0 and deviation 1 (Box and Muller). */
export function drawnNormal(seed: number, ...place: readonly number[]): number {
  const [radius, angle] = [drawn(seed, ...place, 0), drawn(seed, ...place, 1)];
  return Math.sqrt(-2 * Math.log(1 - radius)) * Math.cos(2 * Math.PI * angle);
}

/** murmur3's finalizer: every bit of the input reaches every bit of the result. */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
