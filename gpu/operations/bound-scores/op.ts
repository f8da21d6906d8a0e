import type { ScoreRows } from '../../arguments';
import type { Rows } from '../../rows';
import { asRows, checkApart, checkCount, checkGroups, checkInput, checkScores, fail } from '../../validate';

/**
 * The largest product with a query that a key within a page's bounds could have (Quest, arXiv 2406.10774), not scaled:
 * out row h·n + i, entry p = Σ_c max(q_c · minimum_pc, q_c · maximum_pc). query [H,n,d], minimum and maximum [G,pages,d], none above
 * the other; query head h takes the bounds of KV head ⌊h·G/H⌋.
 */
export interface BoundScoresArguments {
  readonly query: Rows;
  readonly minimum: Rows;
  readonly maximum: Rows;
  readonly out: ScoreRows;
  /**
   * Queries that are each a block of one, and see one key more than the one before. The heads of a query then stand together: out row
   * i·H + h. Absent: every query sees every page.
   */
  readonly byQuery?: SeenByQuery;
}

/**
 * Query i sees the first firstTokens + i rows of `key`, [G,m,d], whose pages of `pageLength` are scored. The page of the last of them has
 * the bounds of those that the query sees, and pages behind it have LOWEST_SCORE.
 */
interface SeenByQuery {
  readonly key: Rows;
  readonly pageLength: number;
  readonly firstTokens: number;
}

export function checkBoundScores(a: BoundScoresArguments): void {
  const { query, minimum, maximum } = a;
  checkInput('boundScores', 'query', query);
  checkInput('boundScores', 'minimum', minimum, { channels: query.channels });
  checkInput('boundScores', 'maximum', maximum, minimum);
  checkGroups('boundScores', 'query', query.heads, 'minimum', minimum.heads);
  checkScores('boundScores', 'out', a.out, 'written', {
    rows: query.heads * query.rows,
    length: minimum.rows,
  });
  const out = asRows(a.out);
  checkApart('boundScores', 'out', out, 'query', query);
  checkApart('boundScores', 'out', out, 'minimum', minimum);
  checkApart('boundScores', 'out', out, 'maximum', maximum);
  if (a.byQuery) checkSeen(a, a.byQuery);
}

function checkSeen(
  { query, minimum, out }: BoundScoresArguments,
  { key, pageLength, firstTokens }: SeenByQuery,
): void {
  checkInput('boundScores', 'key', key, { heads: minimum.heads, channels: minimum.channels });
  checkCount('boundScores', 'pageLength', pageLength);
  checkCount('boundScores', 'firstTokens', firstTokens);
  const seen = firstTokens + Math.max(0, query.rows - 1);
  if (seen > key.rows) fail('boundScores', `key has ${key.rows} rows, but the last query sees ${seen}`);
  if (seen > minimum.rows * pageLength) {
    fail(
      'boundScores',
      `${minimum.rows} pages of ${pageLength} hold less than the ${seen} keys of the last query`,
    );
  }
  checkApart('boundScores', 'out', asRows(out), 'key', key);
}
