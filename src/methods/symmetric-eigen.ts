/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder reflections to a tridiagonal matrix, then implicit QL (EISPACK's
 * tred2 and tql2, after JAMA), in double precision. A generator, so that whoever runs it can let other work in between and stop.
 *
 * It always ends: the matrix is scaled to a largest entry of 1, off-diagonal entries below rounding *of the whole matrix* count as
 * zero (beside a rank of 1 all others are rounding of each other and would never settle), and iterations are bounded.
 */
import { UserError } from '../base/user-error';

export interface SymmetricEigen {
  /** Descending. */
  readonly values: Float64Array;
  /** Row i is the unit eigenvector of value i, [size, size] row-major. */
  readonly vectors: Float64Array;
}

/** Two or three a value is usual. */
const MOST_ITERATIONS = 60;

/** `matrix` [size, size]; its entries must be finite. Throws UserError with the sentence `refusal` when an eigenvalue does not settle. */
export function* symmetricEigen(
  matrix: Float64Array,
  size: number,
  refusal: string,
): Generator<void, SymmetricEigen> {
  let largest = 0;
  for (const value of matrix) largest = Math.max(largest, Math.abs(value));
  const scale = largest > 0 ? largest : 1;
  // Column j of JAMA's V is row j here, so that inner loops are contiguous.
  const vectors = matrix.map((value) => value / scale);
  const diagonal = new Float64Array(size);
  const beside = new Float64Array(size);
  yield* tridiagonal(vectors, diagonal, beside, size);
  yield* implicitQl(vectors, diagonal, beside, size, refusal);
  const order = Array.from(diagonal.keys()).sort((a, b) => diagonal[b]! - diagonal[a]!);
  const sorted = new Float64Array(size * size);
  for (const [i, from] of order.entries()) {
    sorted.set(vectors.subarray(from * size, (from + 1) * size), i * size);
  }
  return { values: Float64Array.from(order, (i) => diagonal[i]! * scale), vectors: sorted };
}

/** tred2: `v` becomes the orthogonal map, `d` and `e` the diagonal and what stands beside it (e[0] = 0). */
function* tridiagonal(v: Float64Array, d: Float64Array, e: Float64Array, n: number): Generator<void> {
  for (let j = 0; j < n; j++) d[j] = v[j * n + n - 1]!;
  for (let i = n - 1; i > 0; i--) {
    yield;
    let scale = 0;
    for (let k = 0; k < i; k++) scale += Math.abs(d[k]!);
    let h = 0;
    if (scale === 0) {
      e[i] = d[i - 1]!;
      for (let j = 0; j < i; j++) {
        d[j] = v[j * n + i - 1]!;
        v[j * n + i] = 0;
        v[i * n + j] = 0;
      }
      d[i] = 0;
      continue;
    }
    for (let k = 0; k < i; k++) {
      d[k]! /= scale;
      h += d[k]! * d[k]!;
    }
    const f = d[i - 1];
    const g = f! > 0 ? -Math.sqrt(h) : Math.sqrt(h);
    e[i] = scale * g;
    h -= f! * g;
    d[i - 1] = f! - g;
    e.fill(0, 0, i);
    for (let j = 0; j < i; j++) {
      const factor = d[j];
      v[i * n + j] = factor!;
      let sum = e[j]! + v[j * n + j]! * factor!;
      for (let k = j + 1; k < i; k++) {
        sum += v[j * n + k]! * d[k]!;
        e[k]! += v[j * n + k]! * factor!;
      }
      e[j] = sum;
    }
    let along = 0;
    for (let j = 0; j < i; j++) {
      e[j]! /= h;
      along += e[j]! * d[j]!;
    }
    const half = along / (h + h);
    for (let j = 0; j < i; j++) e[j]! -= half * d[j]!;
    for (let j = 0; j < i; j++) {
      const left = d[j];
      const right = e[j];
      for (let k = j; k < i; k++) v[j * n + k]! -= left! * e[k]! + right! * d[k]!;
      d[j] = v[j * n + i - 1]!;
      v[j * n + i] = 0;
    }
    d[i] = h;
  }
  for (let i = 0; i < n - 1; i++) {
    yield;
    v[i * n + n - 1] = v[i * n + i]!;
    v[i * n + i] = 1;
    const h = d[i + 1];
    const next = (i + 1) * n;
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[next + k]! / h!;
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k <= i; k++) sum += v[next + k]! * v[j * n + k]!;
        for (let k = 0; k <= i; k++) v[j * n + k]! -= sum * d[k]!;
      }
    }
    v.fill(0, next, next + i + 1);
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[j * n + n - 1]!;
    v[j * n + n - 1] = 0;
  }
  if (n > 0) v[n * n - 1] = 1;
  e[0] = 0;
}

/** Implicit QL: `d` becomes the eigenvalues, rows of `v` the eigenvectors. */
function* implicitQl(
  v: Float64Array,
  d: Float64Array,
  e: Float64Array,
  n: number,
  refusal: string,
): Generator<void> {
  e.copyWithin(0, 1);
  if (n > 0) e[n - 1] = 0;
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(d[i]!) + Math.abs(e[i]!));
  const negligible = Number.EPSILON * norm;
  for (let l = 0; l < n; l++) {
    for (let iteration = 0; ; iteration++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > negligible) m++;
      if (m === l) break;
      if (iteration === MOST_ITERATIONS) {
        throw new UserError(refusal);
      }
      yield;
      rotateAway(v, d, e, n, l, m);
    }
  }
}

/** One implicit QL step on the unreduced part [l, m]. */
function rotateAway(
  v: Float64Array,
  d: Float64Array,
  e: Float64Array,
  n: number,
  l: number,
  m: number,
): void {
  const shift = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let g = d[m]! - d[l]! + e[l]! / (shift + (shift < 0 ? -1 : 1) * Math.hypot(shift, 1));
  let sine = 1;
  let cosine = 1;
  let p = 0;
  for (let i = m - 1; i >= l; i--) {
    const f = sine * e[i]!;
    const b = cosine * e[i]!;
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      // The matrix falls apart here.
      d[i + 1]! -= p;
      e[m] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = d[i + 1]! - p;
    const s = (d[i]! - g) * sine + 2 * cosine * b;
    p = sine * s;
    d[i + 1] = g + p;
    g = cosine * s - b;
    const upper = (i + 1) * n;
    const lower = i * n;
    for (let k = 0; k < n; k++) {
      const high = v[upper + k];
      v[upper + k] = sine * v[lower + k]! + cosine * high!;
      v[lower + k] = cosine * v[lower + k]! - sine * high!;
    }
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
}
