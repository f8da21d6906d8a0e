/** Facts of a method in words: as the table of methods shows them, and as the list is searched for them. */
import type { MethodFacts } from '../measure/method-facts';
import type { Method } from '../methods/method';
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

/** What a method is found by beside its title and rule. */
export interface SaidOf {
  /** Its phase as the table has it; null: nothing goes. */
  readonly phase: MethodFacts['phase'];
  readonly words: string;
  /** Names of its parameters, here, in its paper and in the programs that their help names, with bars between. */
  readonly parameters: string;
}

/** Names in a help: of several words, or what a program calls it. */
const NAMED = /calls (?:it|them) (\w+)|\w*_\w+/g;

/** All that is said of a method. */
export function wordsOf(facts: MethodFacts, { parameters }: Pick<Method, 'parameters'>): SaidOf {
  const { id, evicts, phase } = facts;
  const set = setName(facts);
  const ofParameters = Object.entries(parameters).flatMap(([name, { help, symbol = '' }]) => [
    name,
    symbol,
    ...Array.from(help.matchAll(NAMED), ([found, called = found]) => called),
  ]);
  const words = [
    searchWords[id],
    evicts && 'evicts eviction',
    set && `per ${set}`,
    unitName(facts),
    phase === 'both' ? 'both prefill decode' : phase,
  ];
  return {
    phase,
    words: words.filter(Boolean).join(' '),
    parameters: ofParameters.filter(Boolean).join(' | '),
  };
}
