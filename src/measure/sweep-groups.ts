/** Groups of keys: which points of a curve keep them. */
import type { PointKeys } from './sweep-curve';

export interface KeyGroups {
  /** Group of every key, dense [sets, keys]. */
  readonly groupOf: Uint32Array;
  readonly keys: number;
  /** Bit p of entry c: point p keeps keys of group c. */
  readonly masks: readonly number[];
}

/**
 * Groups of keys [0, keys) from what each point keeps (null: a point without a selection), for `sets` sets. A selection with
 * fewer sets holds for the sets that share its heads.
 */
export function groupKeys(points: readonly (PointKeys | null)[], sets: number, keys: number): KeyGroups {
  const masks: number[] = [];
  const groupOfMask = new GroupTable(points.length);
  const groupOf = new Uint32Array(sets * keys);
  for (let set = 0; set < sets; set++) {
    // Masks first, then in their place the groups that they stand for.
    const ofSet = groupOf.subarray(set * keys, (set + 1) * keys);
    for (const [point, kept] of points.entries()) {
      if (!kept) continue;
      const bit = 1 << point;
      const list = kept.sets[Math.floor((set * kept.sets.length) / sets)]!;
      for (let i = 0; i < list.length; i++) ofSet[list[i]!]! |= bit;
      for (let token = kept.rangeStart; token < keys; token++) ofSet[token]! |= bit;
    }
    for (let token = 0; token < keys; token++) ofSet[token] = groupOfMask.of(ofSet[token]!, masks);
  }
  return { groupOf, keys, masks };
}

/** Points whose masks have a table of their own. */
const MOST_TABLED = 16;

/** Numbers masks as they come: one look at a table, where there are few points. */
class GroupTable {
  readonly #table: Int32Array | null;
  readonly #map = new Map<number, number>();

  constructor(points: number) {
    this.#table = points <= MOST_TABLED ? new Int32Array(1 << points).fill(-1) : null;
  }

  of(mask: number, masks: number[]): number {
    const table = this.#table;
    const known = table ? table[mask]! : (this.#map.get(mask) ?? -1);
    if (known >= 0) return known;
    const next = masks.push(mask) - 1;
    if (table) table[mask] = next;
    else this.#map.set(mask, next);
    return next;
  }
}
