import type { IndexList } from '../../arguments';
import type { Rows } from '../../rows';
import { checkApart, checkGroups, checkInput, checkList, checkOutput, fail } from '../../validate';

/**
 * The rows that lists name: out[h,j,:] = input[⌊h·G/H⌋, list[⌊h·sets/H⌋][j], :] for the H heads of out, a multiple of the list's sets
 * and of input's G heads. out has list.count rows; those beyond the length of a list are left as they are. An index out of range
 * reads the last row. Both hold floats, or both integers.
 */
export interface GatherListedArguments {
  readonly input: Rows;
  readonly list: IndexList;
  readonly out: Rows;
}

export function checkGatherListed(a: GatherListedArguments): void {
  const { input, list, out } = a;
  checkList('gatherListed', 'list', list);
  const { type } = out.buffer;
  checkInput('gatherListed', 'input', input, {}, type);
  checkOutput('gatherListed', 'out', out, { rows: list.count, channels: input.channels }, type);
  checkGroups('gatherListed', 'out', out.heads, 'input', input.heads);
  if (list.sets === 0 ? out.heads > 0 : out.heads % list.sets !== 0) {
    fail('gatherListed', `out has ${out.heads} heads, which is no multiple of the ${list.sets} sets of list`);
  }
  if (input.rows === 0 && out.heads > 0 && list.count > 0)
    fail('gatherListed', 'input has no rows to read from');
  checkApart('gatherListed', 'out', out, 'input', input);
}
