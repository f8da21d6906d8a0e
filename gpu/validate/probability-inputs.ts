import type { ProbabilityInputs } from '../arguments';
import { checkCount, checkGroups, checkInput, checkInteger, checkScoreRule, scalarsAsRows } from './views';

/** What all operations have in common that recompute attention probabilities from a stored log-sum-exp. */
export function checkProbabilityInputs(operation: string, a: ProbabilityInputs): void {
  checkInput(operation, 'query', a.query);
  checkInput(operation, 'key', a.key, { channels: a.query.channels });
  checkGroups(operation, 'query', a.query.heads, 'key', a.key.heads);
  checkScoreRule(operation, a);
  checkInteger(operation, 'causalOffset', a.causalOffset);
  if (a.window !== undefined) checkCount(operation, 'window', a.window);
  checkInput(operation, 'logSumExp', scalarsAsRows(a.logSumExp, a.query.heads, a.query.rows));
}
