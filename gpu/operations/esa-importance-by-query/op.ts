import type { ScoreRows } from '../../arguments';
import type { Rows } from '../../rows';
import { asRows, checkApart, checkCount, checkInput, checkScores } from '../../validate';

/**
 * ESA Eq. 4 for queries that are each a block of one, and see one key more than the one before: with M_i = firstLength + i,
 * out[i, m] = q_i·k_m − max over m' < M_i of q_i·k_m' for m < M_i, LOWEST_SCORE beyond. query [n,K], key [M,K], out [n,M]. out
 * must not overlap query or key. Scores that are NaN, or leave 32 bits, give entries that are not finite.
 */
export interface EsaImportanceByQueryArguments {
  readonly query: Rows;
  readonly key: Rows;
  readonly firstLength: number;
  readonly out: ScoreRows;
}

export function checkEsaImportanceByQuery(a: EsaImportanceByQueryArguments): void {
  checkInput('esaImportanceByQuery', 'query', a.query, { heads: 1 });
  checkInput('esaImportanceByQuery', 'key', a.key, { heads: 1, channels: a.query.channels });
  checkCount('esaImportanceByQuery', 'firstLength', a.firstLength);
  checkScores('esaImportanceByQuery', 'out', a.out, 'written', { rows: a.query.rows, length: a.key.rows });
  const out = asRows(a.out);
  checkApart('esaImportanceByQuery', 'out', out, 'query', a.query);
  checkApart('esaImportanceByQuery', 'out', out, 'key', a.key);
}
