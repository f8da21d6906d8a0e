import { floatsOf } from '../../cpu/buffer';
import { type ActivateArguments, checkActivate } from './op';

/** silu(x) = x / (1 + e^−x) (arXiv 1606.08415, 1702.03118). */
export function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

/** The tanh approximation of GELU (arXiv 1606.08415), as GPT-2 uses it. */
export function geluTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x)));
}

/** GELU through the error function (arXiv 1606.08415). */
function gelu(x: number): number {
  return 0.5 * x * errorFunctionComplement(-x * Math.SQRT1_2);
}

/**
 * 1 − erf(x), to about 1e-11: the Maclaurin series of erf where it converges without cancelling much, and Lentz's
 * evaluation of the continued fraction elsewhere (Abramowitz & Stegun 7.1.6 and 7.1.14).
 */
function errorFunctionComplement(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < 0) return 2 - errorFunctionComplement(-x);
  if (x > 27) return 0;
  if (x < 2) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  }
  let fraction = x;
  for (let n = 30; n > 0; n--) fraction = x + n / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

function activationOf({ kind, cap = 1 }: ActivateArguments): (x: number) => number {
  if (kind === 'soft-cap') return (x) => cap * Math.tanh(x / cap);
  return { 'gelu-tanh': geluTanh, gelu, silu }[kind];
}

export function activate(a: ActivateArguments): void {
  checkActivate(a);
  const { input, out } = a;
  const activation = activationOf(a);
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  for (let head = 0; head < input.heads; head++) {
    for (let row = 0; row < input.rows; row++) {
      const from = input.offset + head * input.headStride + row * input.rowStride;
      const to = out.offset + head * out.headStride + row * out.rowStride;
      for (let c = 0; c < input.channels; c++) outData[to + c] = activation(inputData[from + c]!);
    }
  }
}
