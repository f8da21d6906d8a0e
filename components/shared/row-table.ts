/** A query's keys as a table: what the map and the token strip show as pictures. */

import type { QueryRow } from '../../src/measure/results';
import { explainKey } from '../../src/page/explain/explain-key';
import { showToken } from './format';
import { ruleOf } from './rule';
import type { Table } from './table';

const MOST_ROWS = 200;

/** Largest weight first, at most 200 keys. */
export function rowTable(row: QueryRow | null, tokenTexts: readonly string[]): Table {
  const columns = [
    'key',
    'token',
    row?.positions === 'own' ? 'weight, own positions' : 'full weight',
    'rank',
    'score',
    'score at the cut',
    'second score',
    'second at the cut',
    'rule',
  ];
  if (!row) return { columns, rows: [] };
  const keys = Array.from({ length: row.query + 1 }, (_, key) => key)
    .sort((a, b) => row.weights[b]! - row.weights[a]! || a - b)
    .slice(0, MOST_ROWS);
  return {
    columns,
    rows: keys.map((key) => {
      const why = explainKey(row, key);
      return [
        String(key),
        showToken(tokenTexts[key] ?? ''),
        why.positions === 'cache' ? null : why.weight,
        why.positions === 'cache' ? null : why.weightRank,
        why.score?.value ?? null,
        why.score?.cut ?? null,
        why.score?.second?.value ?? null,
        why.score?.second?.cut ?? null,
        ruleOf(why),
      ];
    }),
  };
}
