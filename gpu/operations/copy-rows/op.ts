import type { Rows } from '../../rows';
import { checkApart, checkInput, checkOutput } from '../../validate';

/** out[h,r,:] = input[h,r,:]; both hold floats, or both integers. */
export interface CopyRowsArguments {
  readonly input: Rows;
  readonly out: Rows;
}

export function checkCopyRows(a: CopyRowsArguments): void {
  const { type } = a.out.buffer;
  checkInput('copyRows', 'input', a.input, {}, type);
  checkOutput('copyRows', 'out', a.out, a.input, type);
  checkApart('copyRows', 'out', a.out, 'input', a.input);
}
