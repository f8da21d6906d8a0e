import type { Rows } from '../../rows';
import { checkApart, checkCount, checkInput, checkOutput, fail } from '../../validate';

/**
 * Queries that keep their largest channels (SparQ, arXiv 2312.04985): out[h,i,c] = q_hic · √(‖q_hi‖₁ ÷ ‖q_hi on what is kept‖₁) for the
 * `count` channels with the largest Σ |q| over the query heads of the KV head, of equals the lower channel, and 0 for others. The factor
 * makes up for what products with keys lose. query and out [H,n,d], H a multiple of `groups`. A query that is 0 on what is kept becomes 0.
 */
export interface SparseQueriesArguments {
  readonly query: Rows;
  readonly groups: number;
  readonly count: number;
  readonly out: Rows;
}

export function checkSparseQueries(a: SparseQueriesArguments): void {
  const { query, groups, count, out } = a;
  checkInput('sparseQueries', 'query', query);
  checkOutput('sparseQueries', 'out', out, query);
  checkCount('sparseQueries', 'groups', groups);
  checkCount('sparseQueries', 'count', count);
  if (groups === 0 ? query.heads > 0 : query.heads % groups !== 0) {
    fail('sparseQueries', `query has ${query.heads} heads, which is no multiple of the ${groups} groups`);
  }
  checkApart('sparseQueries', 'out', out, 'query', query);
}
