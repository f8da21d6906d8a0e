/**
 * The rank-d' projection with the least Σ (q·k − W_θq · W_φk)², Eq. 7 of arXiv 2502.14477 over all pairs and without bias.
 *
 * With uncentred second moments Σ_q, Σ_k and U S Vᵀ = svd(Σ_q^½ Σ_k^½) it is W_θ = S^½ Uᵀ Σ_q^−½, W_φ = S^½ Vᵀ Σ_k^−½, both
 * cut to d' rows, and what remains per pair is Σ_{i>d'} S_i². The classical reduced-rank argument, in the space of folded
 * queries q̄_g = Σ_{h∈g} q_h. All in double precision.
 */
import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from 'ml-matrix';

/** Uncentred second moments of un-rotated folded queries and of keys: E[q̄ q̄ᵀ] and E[k kᵀ], dense [d_G, d_G]. */
export interface SecondMoments {
  readonly query: Float32Array | Float64Array;
  readonly key: Float32Array | Float64Array;
}

/** Maps at full rank, [d_G, d_G] row-major; the first d' rows are the best projection to d' channels. */
export interface ClosedForm {
  readonly channels: number;
  readonly queryMap: Float64Array;
  readonly keyMap: Float64Array;
  /** Descending; residual per pair at rank d' is the sum of the squares from d' on. */
  readonly singularValues: Float64Array;
}

/** Eigenvalues below this share of the largest count as zero. */
const NEGLIGIBLE = 1e-6;

export function closedForm({ query, key }: SecondMoments): ClosedForm {
  const channels = Math.round(Math.sqrt(query.length));
  const queryRoot = powers(query, channels);
  const keyRoot = powers(key, channels);
  const crossed = Matrix.from1DArray(channels, channels, product(queryRoot.root, keyRoot.root, channels));
  const svd = new SingularValueDecomposition(crossed, { autoTranspose: true });
  const scales = svd.diagonal.map(Math.sqrt);
  const map = (vectors: Matrix, inverseRoot: Float64Array): Float64Array =>
    product(transpose(scaleColumns(dense(vectors), scales), channels), inverseRoot, channels);
  return {
    channels,
    queryMap: map(svd.leftSingularVectors, queryRoot.inverseRoot),
    keyMap: map(svd.rightSingularVectors, keyRoot.inverseRoot),
    singularValues: Float64Array.from(svd.diagonal),
  };
}

/** Σ^½ and the pseudo-inverse Σ^−½ of a positive semidefinite matrix, dense. */
function powers(
  moments: SecondMoments['query'],
  channels: number,
): { root: Float64Array; inverseRoot: Float64Array } {
  const matrix = Matrix.from1DArray(channels, channels, moments);
  const decomposition = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const values = decomposition.realEigenvalues;
  const vectors = dense(decomposition.eigenvectorMatrix);
  const transposed = transpose(vectors, channels);
  const threshold = NEGLIGIBLE * Math.max(...values);
  const power = (exponent: number): Float64Array => {
    const scales = values.map((value) => (value > threshold ? value ** exponent : 0));
    return product(scaleColumns(vectors, scales), transposed, channels);
  };
  return { root: power(0.5), inverseRoot: power(-0.5) };
}

// The library decomposes; products of dense arrays are ten times faster without its element access.

function dense(matrix: Matrix): Float64Array {
  return Float64Array.from(matrix.to1DArray());
}

/** Square matrices, row-major: left · right, every sum in order. */
function product(left: Float64Array, right: Float64Array, size: number): Float64Array {
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < size; k++) {
      const factor = left[i * size + k];
      for (let j = 0; j < size; j++) out[i * size + j] += factor * right[k * size + j];
    }
  }
  return out;
}

/** matrix · diag(scales). */
function scaleColumns(matrix: Float64Array, scales: readonly number[]): Float64Array {
  return matrix.map((value, i) => value * scales[i % scales.length]);
}

function transpose(matrix: Float64Array, size: number): Float64Array {
  return matrix.map((_, i) => matrix[(i % size) * size + Math.floor(i / size)]);
}

/**
 * Second moments of queries rotated to one position: R Σ Rᵀ, R turning channels j and j + f of every KV head by the angle whose
 * cos and sin are given for j < f (half-split; channels beyond 2f pass).
 */
export function rotateMoments(
  moments: SecondMoments['query'],
  headDimension: number,
  cosine: Float32Array,
  sine: Float32Array,
): Float64Array {
  const channels = Math.round(Math.sqrt(moments.length));
  const out = Float64Array.from(moments);
  // R acts on the columns of each row, then on the rows of each column.
  for (let line = 0; line < channels; line++)
    turn(out, line * channels, 1, channels, headDimension, cosine, sine);
  for (let line = 0; line < channels; line++)
    turn(out, line, channels, channels, headDimension, cosine, sine);
  return out;
}

function turn(
  data: Float64Array,
  offset: number,
  stride: number,
  channels: number,
  headDimension: number,
  cosine: Float32Array,
  sine: Float32Array,
): void {
  const half = cosine.length;
  for (let head = 0; head < channels; head += headDimension) {
    for (let j = 0; j < half; j++) {
      const low = offset + (head + j) * stride;
      const high = low + half * stride;
      const a = data[low];
      const b = data[high];
      data[low] = a * cosine[j] - b * sine[j];
      data[high] = b * cosine[j] + a * sine[j];
    }
  }
}
