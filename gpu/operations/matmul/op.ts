import { type DeviceBuffer, type Rows, sliceHeads } from '../../rows';
import { checkApart, checkBuffer, checkGroups, checkInput, checkOutput, checkStored } from '../../validate';

/**
 * out[h,i,j] (+)= Σ_k input[h,i,k] · weight[⌊h·W/H⌋,j,k] + bias[j]: input [H,n,K], weight [W,M,K] with H a multiple of W, out
 * [H,n,M]; linear layers have one head. The weight may hold halves; sums are of 32-bit floats all the same. out must not overlap
 * input or weight.
 */
export interface MatmulArguments {
  readonly input: Rows;
  readonly weight: Rows;
  readonly bias?: DeviceBuffer;
  readonly out: Rows;
  readonly accumulate?: boolean;
}

export function checkMatmul(a: MatmulArguments): void {
  checkInput('matmul', 'input', a.input);
  checkStored('matmul', 'weight', a.weight, { channels: a.input.channels });
  checkGroups('matmul', 'input', a.input.heads, 'weight', a.weight.heads);
  const shape = { heads: a.input.heads, rows: a.input.rows, channels: a.weight.rows };
  checkOutput('matmul', 'out', a.out, shape);
  if (a.bias) checkBuffer('matmul', 'bias', a.bias, 'f32', a.weight.rows);
  checkApart('matmul', 'out', a.out, 'input', a.input);
  checkApart('matmul', 'out', a.out, 'weight', a.weight);
}

/**
 * The products of one head that a product is: all heads of a weight at once where input and out have their rows at equal distances,
 * otherwise each of its own.
 */
export function productsOf(a: MatmulArguments): readonly MatmulArguments[] {
  if (a.input.heads === 1) return [a];
  if (a.input.heads === 0) return [];
  const perWeight = a.input.heads / a.weight.heads;
  const products: MatmulArguments[] = [];
  for (let head = 0; head < a.weight.heads; head++) {
    const weight = sliceHeads(a.weight, head, 1);
    const input = sliceHeads(a.input, head * perWeight, perWeight);
    const out = sliceHeads(a.out, head * perWeight, perWeight);
    const [inputRows, outRows] = [asOneHead(input), asOneHead(out)];
    if (inputRows && outRows) {
      products.push({ ...a, input: inputRows, weight, out: outRows });
      continue;
    }
    for (let h = 0; h < perWeight; h++) {
      products.push({ ...a, input: sliceHeads(input, h, 1), weight, out: sliceHeads(out, h, 1) });
    }
  }
  return products;
}

/** The rows of all heads as those of one, if they are at equal distances. */
function asOneHead(view: Rows): Rows | null {
  const { heads, rows, headStride, rowStride } = view;
  if (heads === 1) return view;
  if (rows === 1) return { ...view, heads: 1, rows: heads, rowStride: headStride };
  return headStride === rows * rowStride ? { ...view, heads: 1, rows: heads * rows } : null;
}
