/** Facts of a method in words: as the table of methods shows them, and as the list is searched for them. */
import type { MethodFacts } from '../measure/method-facts';
import { searchWords } from '../methods/search-words';

const SETS = { layer: 'layer', kvHead: 'KV head', queryHead: 'query head' } as const;

/** Whom one set of kept keys is for, from the fewest sets to the most. */
export const setNames: readonly string[] = Object.values(SETS);

/** Null: nothing goes. */
export function setName({ sets }: Pick<MethodFacts, 'sets'>): string | null {
  return sets && SETS[sets];
}

/** What stays or goes together; null: nothing goes. */
export function unitName({ unit }: Pick<MethodFacts, 'unit'>): string | null {
  if (typeof unit !== 'number') return unit;
  return unit === 1 ? 'token' : `${unit.toLocaleString('en')} tokens`;
}

/** All that a method is found by beside its title and rule. */
export function wordsOf(facts: MethodFacts): string {
  const { id, evicts, phase } = facts;
  const set = setName(facts);
  return [
    searchWords[id],
    evicts && 'evicts eviction',
    set && `per ${set}`,
    unitName(facts),
    phase === 'both' ? 'both prefill decode' : phase,
  ]
    .filter(Boolean)
    .join(' ');
}
