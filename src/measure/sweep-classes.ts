/** Classes of keys: which points of a curve keep them. */
import type { KeptKeys } from './selection-reader';

export interface Classes {
  /** Class of every key, dense [sets, keys]. */
  readonly classOf: Uint32Array;
  /** Bit p of entry c: point p keeps keys of class c. */
  readonly masks: readonly number[];
}

/**
 * Classes of keys [0, keys) from what each point keeps (null: a point without a selection), for `sets` sets. A selection with
 * fewer sets holds for the sets that share its heads.
 */
export function classify(points: readonly (KeptKeys | null)[], sets: number, keys: number): Classes {
  const masks: number[] = [];
  const classOfMask = new Map<number, number>();
  const classOf = new Uint32Array(sets * keys);
  const maskOf = new Uint32Array(keys);
  for (let set = 0; set < sets; set++) {
    maskOf.fill(0);
    for (const [point, kept] of points.entries()) {
      if (!kept) continue;
      const bit = 1 << point;
      for (const token of kept.sets[Math.floor((set * kept.sets.length) / sets)]) maskOf[token] |= bit;
      for (let token = kept.rangeStart; token < keys; token++) maskOf[token] |= bit;
    }
    for (let token = 0; token < keys; token++) {
      const mask = maskOf[token];
      let known = classOfMask.get(mask);
      if (known === undefined) {
        known = masks.push(mask) - 1;
        classOfMask.set(mask, known);
      }
      classOf[set * keys + token] = known;
    }
  }
  return { classOf, masks };
}
