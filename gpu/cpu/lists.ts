import type { IndexList } from '../arguments';
import { fail } from '../validate';
import { integersOf } from './buffer';

/** How many entries list `set` has. */
export function listLength(
  operation: string,
  { buffer, count, countsOffset }: IndexList,
  set: number,
): number {
  if (countsOffset === undefined) return count;
  const length = integersOf(buffer)[countsOffset + set]!;
  if (length > count)
    fail(operation, `list ${set} has ${length} entries, more than the ${count} of the longest`);
  return length;
}
