import type { ScoreRows } from '../../arguments';
import type { Rows } from '../../rows';
import { asRows, checkApart, checkGroups, checkInput, checkScores } from '../../validate';

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
}
