import type { Rows } from '../../rows';
import { checkApart, checkFinite, checkGroups, checkInput, checkOutput } from '../../validate';

/** out[g,r,:] (+)= factor · Σ over query heads h of KV head g of input[h,r,:]; input has a multiple of out's heads. */
export interface SumHeadsArguments {
  readonly input: Rows;
  readonly out: Rows;
  readonly factor?: number;
  readonly accumulate?: boolean;
}

export function checkSumHeads(a: SumHeadsArguments): void {
  checkInput('sumHeads', 'input', a.input);
  checkOutput('sumHeads', 'out', a.out, { rows: a.input.rows, channels: a.input.channels });
  checkGroups('sumHeads', 'input', a.input.heads, 'out', a.out.heads);
  if (a.factor !== undefined) checkFinite('sumHeads', 'factor', a.factor);
  checkApart('sumHeads', 'out', a.out, 'input', a.input);
}
