import type { IndexList, ScoreRows } from '../../arguments';
import type { DeviceBuffer } from '../../rows';
import {
  asRows,
  checkApart,
  checkCount,
  checkEqual,
  checkList,
  checkScores,
  checkSpan,
  fail,
} from '../../validate';

/**
 * A cache that takes tokens in one after the other, and drops one of neighbours for it (Cascading KV Cache, arXiv 2406.17808). Row s of
 * tokens [S,c] is what it holds, row s of score [S,c+n] the scores of these and of the n tokens from firstToken on that come. Token i
 * is put behind what is held; then of the places [d[2i], d[2i+1]) of that, d being `drops` from its offset on, the one with the least
 * score is dropped, the first of equals. Where there are no such places nothing is; what lies behind the last place is none. NaN is less
 * than no score.
 *
 * Row s of out [S,k] and outScore [S,k] is what is held in the end, in the same order, k = out.count ≥ c: for as many there must be
 * room, and a token that finds none is left out. out and outScore must not overlap tokens and score.
 */
export interface CascadeArguments {
  readonly tokens: IndexList;
  readonly firstToken: number;
  readonly score: ScoreRows;
  readonly drops: { readonly buffer: DeviceBuffer; readonly offset: number };
  readonly out: IndexList;
  readonly outScore: ScoreRows;
}

export function checkCascade(a: CascadeArguments): void {
  const { tokens, score, drops, out, outScore } = a;
  for (const [name, list] of Object.entries({ tokens, out })) {
    checkList('cascade', name, list);
    if (list.countsOffset !== undefined)
      fail('cascade', `${name} has lists of different lengths (countsOffset)`);
  }
  checkEqual('cascade', 'out.sets', out.sets, tokens.sets);
  if (out.sets > 1 && out.rowStride < out.count)
    fail('cascade', `out.rowStride is ${out.rowStride}, so lists of ${out.count} overlap`);
  checkCount('cascade', 'firstToken', a.firstToken);
  checkScores('cascade', 'score', score, 'read', { rows: tokens.sets, length: score.length });
  if (score.length < tokens.count)
    fail('cascade', `score.length is ${score.length}, but ${tokens.count} tokens are held`);
  const arriving = score.length - tokens.count;
  checkSpan('cascade', 'drops', drops.buffer, 'u32', drops.offset, 2 * arriving);
  if (out.count < tokens.count || out.count > score.length)
    fail('cascade', `out.count is ${out.count}, but must be from ${tokens.count} to ${score.length}`);
  checkScores('cascade', 'outScore', outScore, 'written', { rows: out.sets, length: out.count });
  checkApart('cascade', 'outScore', asRows(outScore), 'score', asRows(score));
  if (out.buffer === tokens.buffer || out.buffer === drops.buffer)
    fail('cascade', 'out must not be in the buffer of tokens or drops');
}
