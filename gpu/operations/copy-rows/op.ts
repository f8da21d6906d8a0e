import type { Rows } from '../../rows';
import { checkApart, checkInput, checkOutput } from '../../validate';

/** out[h,r,:] = input[h,r,:]. */
export interface CopyRowsArguments {
  readonly input: Rows;
  readonly out: Rows;
}

export function checkCopyRows(a: CopyRowsArguments): void {
  checkInput('copyRows', 'input', a.input);
  checkOutput('copyRows', 'out', a.out, a.input);
  checkApart('copyRows', 'out', a.out, 'input', a.input);
}
