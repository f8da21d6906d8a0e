/** Selections that keep the same keys: what a method that evicts once shows to every later block. */
import type { Selection } from '../methods/method';

/**
 * Whether both list the same part of a buffer that outlives them and see every token from the same one on. Lists that belong to
 * one selection alone are never the same.
 */
export function isSameChoice(a: Selection, b: Selection): boolean {
  if (a.rangeStart !== b.rangeStart || a.owned.length > 0 || b.owned.length > 0) return false;
  if (!a.list || !b.list) return a.list === b.list;
  return (
    a.list.buffer === b.list.buffer &&
    a.list.offset === b.list.offset &&
    a.list.sets === b.list.sets &&
    a.list.count === b.list.count &&
    a.list.rowStride === b.list.rowStride &&
    a.list.countsOffset === b.list.countsOffset
  );
}
