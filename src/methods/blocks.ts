/** Blocks of queries that a text is read in. */
import type { QueryBlock } from './method';

/** [start, end) in blocks of `size`, the last one shorter. */
export function equalBlocks(start: number, end: number, size: number): QueryBlock[] {
  const blocks: QueryBlock[] = [];
  for (let from = start; from < end; from += size)
    blocks.push({ start: from, end: Math.min(end, from + size) });
  return blocks;
}

/** [0, tokens) in blocks of `size`, counted anew from `cut`, so that a block begins there. */
export function blocksAround(cut: number, tokens: number, size: number): QueryBlock[] {
  const place = Math.min(Math.max(cut, 0), tokens);
  return [...equalBlocks(0, place, size), ...equalBlocks(place, tokens, size)];
}
