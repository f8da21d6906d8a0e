/**
 * The three patterns of MInference (arXiv 2407.02490; microsoft/MInference, minference_forward.py: minference_prefill_kernel,
 * block_sparse_flash_attention.py: _build_block_index) as lists of columns, diagonals and blocks.
 */

/** The first tokens and the last ones before the query, itself included. */
interface AShape {
  readonly kind: 'a-shape';
  readonly initTokens: number;
  readonly localTokens: number;
}

/** Columns and diagonals that the last queries of the prompt attend to most. */
interface VerticalSlash {
  readonly kind: 'vertical-slash';
  readonly verticalTokens: number;
  readonly slashDiagonals: number;
}

/** For every block of queries the blocks of keys whose mean has the largest product with the queries' mean. */
export interface BlockSparse {
  readonly kind: 'block-sparse';
  readonly blockTokens: number;
  readonly topBlocks: number;
}

export type Pattern = AShape | VerticalSlash | BlockSparse;

/** What vertical-slash looks at, and what it keeps whatever it sees. */
export interface Looks {
  readonly lastQueries: number;
  readonly forcedColumns: number;
  readonly forcedDiagonals: number;
}

/** Blocks that `tokens` tokens make. */
export const blocksOf = (blockTokens: number, tokens: number): number => Math.ceil(tokens / blockTokens);

/** Keys that the query at `position` sees, at most: columns and diagonals may meet. */
export function mostKeys(pattern: Pattern, position: number): number {
  const sizes = {
    'a-shape': () => (pattern as AShape).initTokens + (pattern as AShape).localTokens,
    'vertical-slash': () =>
      (pattern as VerticalSlash).verticalTokens + (pattern as VerticalSlash).slashDiagonals,
    'block-sparse': () => (pattern as BlockSparse).topBlocks * (pattern as BlockSparse).blockTokens,
  };
  return Math.min(position + 1, sizes[pattern.kind]());
}

/** A pattern with its sizes, in a few words. */
export function nameOfPattern(pattern: Pattern): string {
  switch (pattern.kind) {
    case 'a-shape':
      return `A-shape, ${pattern.initTokens} first and ${pattern.localTokens} last tokens`;
    case 'vertical-slash':
      return `vertical-slash, ${pattern.verticalTokens} columns and ${pattern.slashDiagonals} diagonals`;
    case 'block-sparse':
      return `block-sparse, ${pattern.topBlocks} blocks of ${pattern.blockTokens} for every ${pattern.blockTokens} queries`;
  }
}

/** Why a key stays under a pattern, and why another does not. */
export function ruleOfPattern({ kind }: Pattern): string {
  switch (kind) {
    case 'a-shape':
      return 'the first tokens and the last ones before the query';
    case 'vertical-slash':
      return 'columns and diagonals that the prompt’s last queries attend to most';
    case 'block-sparse':
      return 'the blocks whose mean key has the largest products with the mean query of the query’s block';
  }
}
