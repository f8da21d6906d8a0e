/** Methods whose cache holds rows made of several tokens: what is counted by tokens means nothing there. */
import type { Method } from '../methods/method';
import type { Parameters } from '../methods/parameters';

export const MADE_CACHE_REASON =
  'This method’s cache holds mixtures of tokens, so recall by tokens has no meaning; output error, divergence and the answer are measured.';

/** Why there is no recall by tokens; null: there is. */
export function noRecallReason(method: Pick<Method, 'traits'>, parameters: Parameters): string | null {
  return method.traits(parameters).cache === 'made' ? MADE_CACHE_REASON : null;
}
