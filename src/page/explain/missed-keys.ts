/** What became of a key, by a query's row; see src/measure/missed.ts for when a dropped one is missed. */
import { isHeavy } from '../../measure/missed';
import { KEY_FATES, type QueryRow } from '../../measure/results';

export function isMissed(row: QueryRow, key: number): boolean {
  if (row.positions === 'cache') return false;
  return KEY_FATES[row.fates[key]!] === 'dropped' && isHeavy(key, row.weights[key]!, row.firstWeight);
}

export function isKept(row: QueryRow, key: number): boolean {
  const fate = KEY_FATES[row.fates[key]!];
  return fate !== 'future' && fate !== 'dropped';
}
