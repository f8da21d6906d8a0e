/** Which tokens LagKV's official rule has compressed after a number of tokens (arXiv 2504.04704, Eqs. 12 and 13). */
import type { QueryBlock } from '../method';
import type { Lag } from './schema';

type Lengths = Pick<Lag, 'sinkTokens' | 'lagTokens'>;

/**
 * Partitions compressed once `tokens` are read: all that have a full successor, the last full one and the remainder staying
 * whole. Whether the tokens came one by one or in chunks makes no difference.
 */
export function compressedPartitions(tokens: number, { sinkTokens, lagTokens }: Lengths): number {
  return Math.max(0, Math.floor((tokens - sinkTokens) / lagTokens) - 1);
}

/** First token that is not a sink and not in a compressed partition. */
export function compressedEnd(partitions: number, { sinkTokens, lagTokens }: Lengths): number {
  return partitions === 0 ? 0 : sinkTokens + partitions * lagTokens;
}

/** Keys in the cache once `tokens` are read (L_R of Eq. 12 at the end of the text). */
export function storedKeys(tokens: number, lag: Lag): number {
  const partitions = compressedPartitions(tokens, lag);
  return tokens - partitions * (lag.lagTokens - lag.keptOfPartition);
}

/**
 * End of what a monolithic prefill reads densely before it compresses: the prompt, or in a text without an answer the tokens before
 * the queries.
 */
export function denseEnd(tokens: number, promptEnd: number, evictAt: number): number {
  return promptEnd < tokens ? promptEnd : evictAt;
}

/** The official chunks: S + 2L tokens, then L at a time. */
export function lagBlocks(tokens: number, { sinkTokens, lagTokens }: Lengths): QueryBlock[] {
  const blocks: QueryBlock[] = [];
  let end = Math.min(tokens, sinkTokens + 2 * lagTokens);
  for (let start = 0; start < tokens; start = end, end = Math.min(tokens, end + lagTokens)) {
    blocks.push({ start, end });
  }
  return blocks;
}
