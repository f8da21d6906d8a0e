import type { IndexList, ScoreRows, ScoreRule } from '../../arguments';
import type { DeviceBuffer, Rows } from '../../rows';
import {
  asRows,
  checkApart,
  checkCount,
  checkEqual,
  checkGroups,
  checkInput,
  checkList,
  checkScoreRule,
  checkScores,
  checkSpan,
  fail,
} from '../../validate';

/** What `mostProducts` is where nobody says. */
export const MOST_PRODUCTS = 2 ** 23;

/**
 * A cache of fixed size through n consecutive queries, one after the other (H2O, arXiv 2306.14048): query i of head h, of query
 * [H,n,d], sees the c = tokens.count rows of key [G,m,d] that are kept for it and its own, row firstKey + i, with probabilities
 * softmax(score). What is kept adds its probability to what it has received, the own row has received its own. Then one of all
 * but the last `recentCount` is dropped: which has received least, of equals the last.
 *
 * Row i·H + h of tokens and received [(n+1)·H, c] is what head h keeps before query i, ascending, and what that has received: rows of
 * query 0 are given, the others are written. tied.buffer[tied.offset + i·H + h] = how many of those that could be dropped had received
 * as much as the least of them that was kept, itself included (0 where recentCount = c), written from i = 1 on. Kept rows lie before firstKey; one out of range reads the last key.
 */
export interface HeavyHittersArguments extends ScoreRule {
  readonly query: Rows;
  readonly key: Rows;
  readonly firstKey: number;
  readonly recentCount: number;
  readonly tokens: IndexList;
  readonly received: ScoreRows;
  readonly tied: { readonly buffer: DeviceBuffer; readonly offset: number };
  /** Most products of queries and keys, of all heads, that WebGPU makes at once; they are 32-bit floats beside the arguments. */
  readonly mostProducts?: number;
}

export function checkHeavyHitters(a: HeavyHittersArguments): void {
  const { query, key, tokens, received, tied } = a;
  checkInput('heavyHitters', 'query', query);
  checkInput('heavyHitters', 'key', key, { channels: query.channels });
  checkGroups('heavyHitters', 'query', query.heads, 'key', key.heads);
  checkScoreRule('heavyHitters', a);
  checkCount('heavyHitters', 'firstKey', a.firstKey);
  checkCount('heavyHitters', 'recentCount', a.recentCount);
  checkCount('heavyHitters', 'mostProducts', a.mostProducts ?? MOST_PRODUCTS);
  if (a.firstKey + query.rows > key.rows) {
    fail(
      'heavyHitters',
      `key has ${key.rows} rows, but the last query is row ${a.firstKey + query.rows - 1}`,
    );
  }
  const rows = query.heads * (query.rows + 1);
  checkList('heavyHitters', 'tokens', tokens);
  checkEqual('heavyHitters', 'tokens.sets', tokens.sets, rows);
  if (tokens.countsOffset !== undefined)
    fail('heavyHitters', 'tokens has lists of different lengths (countsOffset)');
  if (tokens.sets > 1 && tokens.rowStride < tokens.count) {
    fail('heavyHitters', `tokens.rowStride is ${tokens.rowStride}, so lists of ${tokens.count} overlap`);
  }
  if (a.recentCount > tokens.count) {
    fail('heavyHitters', `recentCount is ${a.recentCount}, but only ${tokens.count} are kept`);
  }
  checkScores('heavyHitters', 'received', received, 'written', { rows, length: tokens.count });
  checkSpan('heavyHitters', 'tied', tied.buffer, 'u32', tied.offset, rows);
  if (tied.buffer === tokens.buffer) fail('heavyHitters', 'tied must not be in the buffer of tokens');
  checkApart('heavyHitters', 'received', asRows(received), 'query', query);
  checkApart('heavyHitters', 'received', asRows(received), 'key', key);
}
