/** The budget that a key press asks for: arrows a step (method/slider-steps.ts), Page Up and Down ten, Home and End the least and all. */

import { fingerprint } from '../../src/base/fingerprint';
import { fractionKeeping } from '../../src/methods/budget';
import type { Method } from '../../src/methods/method';
import type { ParameterContext } from '../../src/methods/parameters';
import { equivalentBudget } from '../../src/page/equivalent-budget';
import type { PageState } from '../../src/page/state';
import { nextCount } from '../method/slider-steps';

const steps: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
};

interface Asked extends Pick<PageState, 'session' | 'text'> {
  readonly method: Method;
  readonly context: ParameterContext;
}

/** The fraction asked for next; null: the key does nothing. `kept`: as measured, for parameters that no budget gives. */
export function budgetOfKey(
  key: string,
  { method, context, session, text }: Asked,
  kept: number,
): number | null {
  if (key === 'Home') return 0;
  if (key === 'End') return 1;
  const times = steps[key];
  if (times === undefined || !text) return null;
  const { parameters } = session.method;
  const { tokens, answerStart, queries } = text;
  // What a fraction is of: for methods that evict once the tokens before the eviction, so that a step is a whole key.
  const places = { evictAt: queries.start, answerStart };
  const all = method.traits(parameters).decides === 'once' ? places.evictAt : tokens;
  if (all === 0) return null;
  const now =
    equivalentBudget(method, parameters, { ...context, tokens }, queries.start, answerStart) ?? kept;
  const direction = times > 0 ? 1 : -1;
  let count = Math.floor(now * all + 1e-9);
  for (let step = 0; step < Math.abs(times); step++) count = nextCount(count, direction);
  // Some methods only keep whole keys of a partition: on to the first budget that differs.
  while (count > 0 && count < all && fingerprint(fitted(count)) === fingerprint(parameters))
    count = nextCount(count, direction);
  return fractionKeeping(Math.min(all, Math.max(0, count)), all);

  function fitted(keys: number): unknown {
    const result = method.withBudget(parameters, context, fractionKeeping(keys, all), places);
    return 'parameters' in result ? result.parameters : null;
  }
}
