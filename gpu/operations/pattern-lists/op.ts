import type { IndexList } from '../../arguments';
import { checkCount, checkEqual, checkList, checkRaggedOut, fail } from '../../validate';

/**
 * The keys that columns, diagonals and blocks show each of n consecutive queries (MInference, arXiv 2407.02490). Query i of head h is
 * token q = firstQuery + i. It sees a key t ≤ q that is in columns' list h, or whose t − q + anchor is in diagonals' list h (what query
 * `anchor` sees, moved along with the query), or whose ⌊t / blockTokens⌋ is in list ⌊q / blockTokens⌋ · H + h of blocks.
 *
 * out list h · n + i, with `byQuery` i · H + h: those keys ascending, each once; its length stands at out.countsOffset + the list, what
 * lies beyond is left as it is. out.count must be `longestPattern` at least. Lists of columns, diagonals and blocks are ascending.
 */
export interface PatternListsArguments {
  readonly columns: IndexList;
  readonly diagonals: IndexList;
  readonly anchor: number;
  readonly blocks?: { readonly list: IndexList; readonly tokens: number };
  readonly firstQuery: number;
  readonly queries: number;
  readonly byQuery?: boolean;
  readonly out: IndexList;
}

/** Entries that the longest list may have. */
export function longestPattern(
  a: Pick<PatternListsArguments, 'columns' | 'diagonals' | 'blocks' | 'firstQuery' | 'queries'>,
): number {
  const ofBlocks = a.blocks ? a.blocks.list.count * a.blocks.tokens : 0;
  return Math.min(a.firstQuery + a.queries, a.columns.count + a.diagonals.count + ofBlocks);
}

export function checkPatternLists(a: PatternListsArguments): void {
  const { columns, diagonals, blocks, firstQuery, queries, out } = a;
  checkList('patternLists', 'columns', columns);
  checkList('patternLists', 'diagonals', diagonals);
  checkEqual('patternLists', 'diagonals.sets', diagonals.sets, columns.sets);
  for (const name of ['anchor', 'firstQuery', 'queries'] as const) checkCount('patternLists', name, a[name]);
  checkRaggedOut('patternLists', 'out', out);
  checkEqual('patternLists', 'out.sets', out.sets, columns.sets * queries);
  const given = [columns, diagonals];
  if (blocks) {
    checkList('patternLists', 'blocks.list', blocks.list);
    checkCount('patternLists', 'blocks.tokens', blocks.tokens);
    if (blocks.tokens === 0) fail('patternLists', 'blocks.tokens is 0, so blocks hold no keys');
    const rows = queries === 0 ? 0 : 1 + Math.floor((firstQuery + queries - 1) / blocks.tokens);
    if (blocks.list.sets < rows * columns.sets) {
      fail(
        'patternLists',
        `blocks.list has ${blocks.list.sets} sets, but the last query is in row ${rows - 1} of blocks for ${columns.sets} heads`,
      );
    }
    given.push(blocks.list);
  }
  const longest = longestPattern(a);
  if (out.count < longest) fail('patternLists', `out.count is ${out.count}, but a list may have ${longest}`);
  if (given.some(({ buffer }) => buffer === out.buffer))
    fail('patternLists', 'out must not be in a buffer of what it is made from');
}
