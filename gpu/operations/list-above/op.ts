import type { IndexList, ScoreRows } from '../../arguments';
import { checkEqual, checkFinite, checkRaggedOut, checkScores, fail } from '../../validate';

/**
 * Per score row the places whose score is above the threshold, ascending (Squeezed Attention, arXiv 2411.09688). Equal is not above,
 * and NaN never is. Lists have lengths of their own, out.countsOffset says them, what lies beyond is left as it is. out.count must be
 * score.length at least.
 */
export interface ListAboveArguments {
  readonly score: ScoreRows;
  readonly threshold: number;
  readonly out: IndexList;
}

export function checkListAbove(a: ListAboveArguments): void {
  const { score, threshold, out } = a;
  checkScores('listAbove', 'score', score, 'read');
  checkFinite('listAbove', 'threshold', threshold);
  checkRaggedOut('listAbove', 'out', out);
  checkEqual('listAbove', 'out.sets', out.sets, score.rows);
  if (out.count < score.length)
    fail('listAbove', `out.count is ${out.count}, but a list may have ${score.length}`);
}
