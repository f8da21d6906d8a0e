import type { Rows } from '../../rows';
import { checkApart, checkGroups, checkInput, checkOutput } from '../../validate';

/**
 * Rows mixed along tokens: out[h,i,:] (+)= Σ_t matrix[⌊h·M/H⌋,i,t] · input[h,t,:], as of FreqKV's discrete cosine transform (arXiv
 * 2505.00570) or of centroids. matrix [M,N,T], input [H,T,d] with H a multiple of M, out [H,N,d]. out must not overlap the others.
 */
export interface MixRowsArguments {
  readonly matrix: Rows;
  readonly input: Rows;
  readonly out: Rows;
  readonly accumulate?: boolean;
}

export function checkMixRows(a: MixRowsArguments): void {
  const { matrix, input, out } = a;
  checkInput('mixRows', 'input', input);
  checkInput('mixRows', 'matrix', matrix, { channels: input.rows });
  checkGroups('mixRows', 'input', input.heads, 'matrix', matrix.heads);
  checkOutput('mixRows', 'out', out, { heads: input.heads, rows: matrix.rows, channels: input.channels });
  checkApart('mixRows', 'out', out, 'input', input);
  checkApart('mixRows', 'out', out, 'matrix', matrix);
}
