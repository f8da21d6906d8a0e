/**
 * The generator of all golden numbers: s ← (1664525·s + 1013904223) mod 2³², value s/2³²·2 − 1. Tensors are drawn in
 * the listed order, row-major, one generator per fixture.
 */
export function lcg(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
}

/** The next `length` numbers, rounded to 32 bits. */
export function draw(next: () => number, length: number): Float32Array {
  return Float32Array.from({ length }, next);
}
