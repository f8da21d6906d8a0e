/**
 * The rank-d' projection with the least Σ (q·k − W_θq · W_φk)², Eq. 7 of arXiv 2502.14477 over all pairs and without bias.
 *
 * With uncentred second moments Σ_q, Σ_k and U S Vᵀ = svd(Σ_q^½ Σ_k^½) it is W_θ = S^½ Uᵀ Σ_q^−½, W_φ = S^½ Vᵀ Σ_k^−½, both
 * cut to d' rows, and what remains per pair is Σ_{i>d'} S_i². The classical reduced-rank argument, in the space of folded
 * queries q̄_g = Σ_{h∈g} q_h. All in double precision.
 */
import { UserError } from '../../base/user-error';
import { symmetricEigen } from '../symmetric-eigen';

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

const UNSETTLED =
  'esa: the closed form of this text could not be computed (an eigenvalue does not settle); use projection "exact".';

/** Eigenvalues below this share of the largest count as zero. */
const NEGLIGIBLE = 1e-6;

/**
 * In pieces of some milliseconds, a `yield` between them. Throws UserError for moments that are not finite, and where an eigenvalue
 * does not settle.
 *
 * With Σ = V D Vᵀ the roots need not be formed: Σ_q^½ Σ_k^½ = V_q (D_q^½ V_qᵀ V_k D_k^½) V_kᵀ has the singular values of the part
 * in brackets, M. Its left singular vectors U are eigenvectors of M Mᵀ; a right one is Mᵀ u ÷ its length, which is the singular value.
 */
export function* closedForm({ query, key }: SecondMoments): Generator<void, ClosedForm> {
  const channels = Math.round(Math.sqrt(query.length));
  const ofQueries = yield* powers(query, channels, 'queries');
  const ofKeys = yield* powers(key, channels, 'keys');
  const crossed = yield* product(ofQueries.root, transpose(ofKeys.root, channels), channels);
  const squared = yield* product(crossed, transpose(crossed, channels), channels);
  const { vectors } = yield* symmetricEigen(squared, channels, UNSETTLED);
  const right = yield* product(vectors, crossed, channels);
  const lengths = Float64Array.from({ length: channels }, (_, i) =>
    Math.hypot(...right.subarray(i * channels, (i + 1) * channels)),
  );
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[b]! - lengths[a]!);
  // What the one map takes on and the other off, so that both fit into 32 bits; a power of two rounds nothing.
  const balance = 2 ** Math.round(Math.log2((ofQueries.largest || 1) / (ofKeys.largest || 1)) / 4);
  const map = function* (
    rows: Float64Array,
    exponent: number,
    inverseRoot: Float64Array,
    factor: number,
  ): Generator<void, Float64Array> {
    const scaled = new Float64Array(channels * channels);
    for (const [i, from] of order.entries()) {
      const scale = lengths[from]! > 0 ? factor * lengths[from]! ** exponent : 0;
      for (let c = 0; c < channels; c++) scaled[i * channels + c] = rows[from * channels + c]! * scale;
    }
    return yield* product(scaled, inverseRoot, channels);
  };
  return {
    channels,
    queryMap: yield* map(vectors, 0.5, ofQueries.inverseRoot, balance),
    keyMap: yield* map(right, -0.5, ofKeys.inverseRoot, 1 / balance),
    singularValues: Float64Array.from(order, (i) => lengths[i]!),
  };
}

/** D^½ Vᵀ and the pseudo-inverse D^−½ Vᵀ of a positive semidefinite matrix V D Vᵀ, dense. */
function* powers(
  moments: SecondMoments['query'],
  channels: number,
  what: string,
): Generator<void, { root: Float64Array; inverseRoot: Float64Array; largest: number }> {
  if (!moments.every(Number.isFinite)) {
    throw new UserError(
      `esa: the second moments of the ${what} are too large to compute with; use projection "exact" or another method.`,
    );
  }
  const { values, vectors } = yield* symmetricEigen(Float64Array.from(moments), channels, UNSETTLED);
  const largest = Math.max(0, values[0] ?? 0);
  const power = (exponent: number): Float64Array =>
    vectors.map((entry, at) => {
      const value = values[Math.floor(at / channels)];
      return value! > NEGLIGIBLE * largest ? entry * value! ** exponent : 0;
    });
  return { root: power(0.5), inverseRoot: power(-0.5), largest };
}

/** Square matrices, row-major: left · right, every sum in order. */
function* product(left: Float64Array, right: Float64Array, size: number): Generator<void, Float64Array> {
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    yield;
    for (let k = 0; k < size; k++) {
      const factor = left[i * size + k];
      if (factor === 0) continue;
      for (let j = 0; j < size; j++) out[i * size + j]! += factor! * right[k * size + j]!;
    }
  }
  return out;
}

function transpose(matrix: Float64Array, size: number): Float64Array {
  return matrix.map((_, i) => matrix[(i % size) * size + Math.floor(i / size)]!);
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
      data[low] = a! * cosine[j]! - b! * sine[j]!;
      data[high] = b! * cosine[j]! + a! * sine[j]!;
    }
  }
}
