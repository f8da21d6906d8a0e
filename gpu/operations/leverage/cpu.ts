import { floatsOf } from '../../cpu/buffer';
import { checkLeverage, type LeverageArguments } from './op';

/** In double precision: what is factorised may be all but singular. */
export function leverage(a: LeverageArguments): void {
  checkLeverage(a);
  const { input, weight, ridge, out } = a;
  const { rows: n, channels: k } = input;
  const inputData = floatsOf(input.buffer);
  const outData = floatsOf(out.buffer);
  const weights = weight && floatsOf(weight.buffer);
  const factor = new Float64Array(k * k);
  const row = new Float64Array(k);
  const load = (group: number, t: number): void => {
    const start = input.offset + group * input.headStride + t * input.rowStride;
    for (let c = 0; c < k; c++) row[c] = inputData[start + c]!;
  };
  for (let head = 0; head < out.rows; head++) {
    const group = Math.floor((head * input.heads) / out.rows);
    factor.fill(0);
    for (let c = 0; c < k; c++) factor[c * k + c] = ridge;
    for (let t = 0; t < n; t++) {
      load(group, t);
      const share = weight ? weights![weight.offset + head * weight.rowStride + t]! : 1;
      for (let i = 0; i < k; i++) {
        const scaled = share * row[i]!;
        for (let j = 0; j <= i; j++) factor[i * k + j]! += scaled * row[j]!;
      }
    }
    factorise(factor, k, ridge);
    for (let t = 0; t < n; t++) {
      load(group, t);
      outData[out.offset + head * out.rowStride + t] = lengthThrough(factor, row, k);
    }
  }
}

/** Cholesky: the lower triangle becomes L with L·Lᵀ what it was. Without rounding no pivot is below the ridge. */
function factorise(lower: Float64Array, k: number, ridge: number): void {
  for (let i = 0; i < k; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = lower[i * k + j]!;
      for (let c = 0; c < j; c++) sum -= lower[i * k + c]! * lower[j * k + c]!;
      lower[i * k + j] = i === j ? Math.sqrt(Math.max(sum, ridge)) : sum / lower[j * k + j]!;
    }
  }
}

/** ‖L⁻¹ row‖²; `row` becomes L⁻¹ row. */
function lengthThrough(lower: Float64Array, row: Float64Array, k: number): number {
  let squares = 0;
  for (let i = 0; i < k; i++) {
    let sum = row[i]!;
    for (let c = 0; c < i; c++) sum -= lower[i * k + c]! * row[c]!;
    row[i] = sum / lower[i * k + i]!;
    squares += row[i]! ** 2;
  }
  return squares;
}
