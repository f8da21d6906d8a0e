/**
 * A low-pass along tokens as a matrix M [kept, rows]: the lowest frequencies of rows' DCT-II, transformed back at the lower rate,
 * M = √(kept/rows) · C_keptᵀ · (C_rows)[:kept] with (C_n)[k,t] = a_k cos(πk(2t+1)/2n), a_0 = √(1/n), a_k = √(2/n), kept ≤ rows. Its
 * rows sum to 1. (FreqKV, llama_attn_replace_dct_mempe.py: dct, idct, dct_compress.) In double precision.
 */
export function compressionMatrix(rows: number, kept: number): Float32Array {
  const matrix = new Float32Array(kept * rows);
  // A product of cosines is half the sum of those of difference and sum; both angles are parts of π, numerators whole numbers.
  const sumOf = (numerator: number): number => cosineSum((Math.PI * numerator) / (2 * rows * kept), kept);
  for (let row = 0; row < kept; row++) {
    const own = (2 * row + 1) * rows;
    for (let token = 0; token < rows; token++) {
      const other = (2 * token + 1) * kept;
      matrix[row * rows + token] = (1 + sumOf(own - other) + sumOf(own + other)) / rows;
    }
  }
  return matrix;
}

/** cos θ + cos 2θ + … + cos (count − 1)θ, |θ| < 2π. */
function cosineSum(angle: number, count: number): number {
  if (angle === 0) return count - 1;
  return Math.sin((count - 0.5) * angle) / (2 * Math.sin(angle / 2)) - 0.5;
}
