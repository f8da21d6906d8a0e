import type { DeviceBuffer, Rows } from '../../rows';
import { checkApart, checkBuffer, checkInput, checkOutput } from '../../validate';

/**
 * out[0,i,j] (+)= Σ_k input[0,i,k] · weight[0,j,k] + bias[j]: input [n,K], weight [M,K], out [n,M]; all one head.
 * out must not overlap input or weight.
 */
export interface MatmulArguments {
  readonly input: Rows;
  readonly weight: Rows;
  readonly bias?: DeviceBuffer;
  readonly out: Rows;
  readonly accumulate?: boolean;
}

export function checkMatmul(a: MatmulArguments): void {
  checkInput('matmul', 'input', a.input, { heads: 1 });
  checkInput('matmul', 'weight', a.weight, { heads: 1, channels: a.input.channels });
  checkOutput('matmul', 'out', a.out, { heads: 1, rows: a.input.rows, channels: a.weight.rows });
  if (a.bias) checkBuffer('matmul', 'bias', a.bias, 'f32', a.weight.rows);
  checkApart('matmul', 'out', a.out, 'input', a.input);
  checkApart('matmul', 'out', a.out, 'weight', a.weight);
}
