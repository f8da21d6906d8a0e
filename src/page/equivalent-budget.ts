/** What `sweep --keep` has to be given so that it measures the study as it is. */

import { fingerprint } from '../base/fingerprint';
import { studyBlocks } from '../methods/blocks';
import { fractionKeeping } from '../methods/budget';
import type { Method } from '../methods/method';
import type { ParameterContext, Parameters } from '../methods/parameters';

/**
 * A fraction of the text at which the method's budget gives these parameters, or others that keep as many keys in every layer.
 * Null: there is none, as where layers differ. `queriesStart` is where methods evict that evict once; the answer's tokens, if there
 * are any, are read one by one.
 */
export function equivalentBudget(
  method: Method,
  parameters: Parameters,
  context: ParameterContext,
  queriesStart: number,
  answerStart: number | null,
): number | null {
  if (method.traits(parameters).decides === 'never') return 1;
  const { tokens } = context;
  const places = { tokens, evictAt: queriesStart, answerStart };
  const keptBy = (candidate: Parameters): number[] => {
    const block = studyBlocks(method, candidate, places, context).at(-1)!;
    const last = {
      position: tokens - 1,
      block,
      evictAt: queriesStart,
      promptEnd: answerStart ?? tokens,
    };
    return Array.from({ length: context.layers }, (_, layer) => {
      return method.cost(candidate, context, layer, last).keptKeys;
    });
  };
  const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
  const fitted = (keep: number): Parameters | null => {
    const result = method.withBudget(parameters, context, keep, places);
    return 'parameters' in result ? result.parameters : null;
  };

  const { keepFraction } = parameters;
  if (typeof keepFraction === 'number' && keepFraction > 0) {
    const same = fitted(keepFraction);
    if (same && fingerprint(same) === fingerprint(parameters)) return keepFraction;
  }
  if (method.traits(parameters).cache !== 'tokens') {
    // Rows that rise and fall as the text is read, or have lost channels: a budget that keeps as many at the end is not the same.
    const same = Array.from({ length: tokens }, (_, i) => fractionKeeping(i + 1, tokens));
    const isSame = (keep: number): boolean => fingerprint(fitted(keep)) === fingerprint(parameters);
    return same.find(isSame) ?? null;
  }
  const wanted = keptBy(parameters);
  // The smallest budget that keeps as much: what is kept grows with the budget.
  let below = 0;
  let enough = tokens;
  while (enough - below > 1) {
    const middle = Math.floor((below + enough) / 2);
    const found = fitted(fractionKeeping(middle, tokens));
    if (found && sum(keptBy(found)) >= sum(wanted)) enough = middle;
    else below = middle;
  }
  const keep = fractionKeeping(enough, tokens);
  const found = fitted(keep);
  return found && fingerprint(keptBy(found)) === fingerprint(wanted) ? keep : null;
}
