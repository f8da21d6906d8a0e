import type { VisibleKeys } from '../arguments';
import type { Rows } from '../rows';
import { checkCount, checkList, fail } from './views';

/** The range lies within the keys, and the list has a set for all heads, for every head of keys or for every query head. */
export function checkVisible(operation: string, visible: VisibleKeys, queryHeads: number, key: Rows): void {
  const { list, range } = visible;
  checkCount(operation, 'visible.range.start', range.start);
  checkCount(operation, 'visible.range.end', range.end);
  if (range.start > range.end || range.end > key.rows) {
    fail(operation, `visible.range is [${range.start}, ${range.end}), not within the ${key.rows} key rows`);
  }
  if (range.window !== undefined) {
    checkCount(operation, 'visible.range.window', range.window);
    if (!range.causal) fail(operation, 'visible.range has a window, but is not causal');
  }
  if (!list) return;
  checkList(operation, 'visible.list', list);
  if (list.sets !== 1 && list.sets !== key.heads && list.sets !== queryHeads) {
    fail(operation, `visible.list has ${list.sets} sets, but must have 1, ${key.heads} or ${queryHeads}`);
  }
}
