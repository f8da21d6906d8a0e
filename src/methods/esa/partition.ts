/** ESA's parts of the tokens before a block (arXiv 2502.14477, section 3.1; the window wins over the initial tokens). */

/** Initial tokens are [0, initEnd), the middle [initEnd, localStart), local ones [localStart, block start). */
export interface Partition {
  readonly initEnd: number;
  readonly localStart: number;
}

export function partition(blockStart: number, initTokens: number, localTokens: number): Partition {
  const localStart = Math.max(0, blockStart - localTokens);
  return { initEnd: Math.min(initTokens, localStart), localStart };
}
