/** When a dropped key counts as missed: it gets at least four times an equal share of the query's attention. */
import { KEY_FATES, type QueryRow } from '../study/types';

const timesAnEqualShare = 4;

/** The weight from which on a dropped key of this query is missed. */
export function missedWeight(query: number): number {
  return timesAnEqualShare / (query + 1);
}

export function isMissed(row: QueryRow, key: number): boolean {
  return KEY_FATES[row.fates[key]!] === 'dropped' && row.weights[key]! >= missedWeight(row.query);
}

export function isKept(row: QueryRow, key: number): boolean {
  const fate = KEY_FATES[row.fates[key]!];
  return fate !== 'future' && fate !== 'dropped';
}
