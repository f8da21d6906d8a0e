/**
 * The singular value decomposition of a wide matrix, for its best approximations of any rank, in double precision: the eigenvectors u
 * of W Wᵀ are W's left singular vectors, and W cut to rank r is Σ_{i ≤ r} u_i (u_iᵀ W), a sum without any division by a singular value.
 * The singular value i is the length of u_iᵀ W, which keeps small ones to within rounding of W rather than of its square.
 */
import { symmetricEigen } from '../symmetric-eigen';

export interface SingularParts {
  /** Descending. */
  readonly values: Float64Array;
  /** Row i is u_i, [outputs, outputs]. */
  readonly left: Float32Array;
  /** Row i is u_iᵀ W, [outputs, inputs]. */
  readonly right: Float32Array;
}

/**
 * Of W = `weight` [outputs, inputs], in pieces of some milliseconds, a `yield` between them. Throws UserError with the sentence `refusal`
 * where an eigenvalue does not settle.
 */
export function* singularParts(
  weight: Float32Array,
  outputs: number,
  inputs: number,
  refusal: string,
): Generator<void, SingularParts> {
  const gram = new Float64Array(outputs * outputs);
  for (let i = 0; i < outputs; i++) {
    yield;
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let c = 0; c < inputs; c++) sum += weight[i * inputs + c]! * weight[j * inputs + c]!;
      gram[i * outputs + j] = sum;
      gram[j * outputs + i] = sum;
    }
  }
  const { vectors } = yield* symmetricEigen(gram, outputs, refusal);
  const projected = new Float64Array(outputs * inputs);
  for (let i = 0; i < outputs; i++) {
    yield;
    for (let k = 0; k < outputs; k++) {
      const factor = vectors[i * outputs + k]!;
      for (let c = 0; c < inputs; c++) projected[i * inputs + c]! += factor * weight[k * inputs + c]!;
    }
  }
  const lengths = Float64Array.from({ length: outputs }, (_, i) =>
    Math.sqrt(
      projected.subarray(i * inputs, (i + 1) * inputs).reduce((sum, entry) => sum + entry * entry, 0),
    ),
  );
  const order = Array.from(lengths.keys()).sort((a, b) => lengths[b]! - lengths[a]!);
  const sorted = (rows: Float64Array, width: number): Float32Array => {
    const out = new Float32Array(outputs * width);
    for (const [i, from] of order.entries())
      out.set(rows.subarray(from * width, (from + 1) * width), i * width);
    return out;
  };
  return {
    values: Float64Array.from(order, (i) => lengths[i]!),
    left: sorted(vectors, outputs),
    right: sorted(projected, inputs),
  };
}

/** Largest by smallest singular value; one below the rounding of 32 bits counts as that, so that the number is finite. */
export function conditionNumber(values: Float64Array): number {
  const largest = values[0] ?? 0;
  if (largest === 0) return 1;
  return largest / Math.max(values[values.length - 1]!, largest * 2 ** -23);
}
