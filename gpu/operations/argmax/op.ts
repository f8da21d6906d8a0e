import type { DeviceBuffer, Rows } from '../../rows';
import { checkInput, checkSpan, fail } from '../../validate';

/** out[outOffset + r] = index of the largest input[0,r,:], the lower index at a tie. */
export interface ArgmaxArguments {
  readonly input: Rows;
  readonly out: DeviceBuffer;
  readonly outOffset: number;
}

export function checkArgmax(a: ArgmaxArguments): void {
  checkInput('argmax', 'input', a.input, { heads: 1 });
  checkSpan('argmax', 'out', a.out, 'u32', a.outOffset, a.input.rows);
  if (a.input.rows > 0 && a.input.channels === 0) fail('argmax', 'input has no channels to choose from');
}
