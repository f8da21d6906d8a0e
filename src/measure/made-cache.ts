/** Methods whose cache holds other rows than the model's keys and values of tokens: what is counted by tokens means nothing there. */
import type { Method } from '../methods/method';
import type { Parameters } from '../methods/parameters';

export const MADE_CACHE_REASON =
  'This method’s cache holds mixtures of tokens, so recall by tokens has no meaning; output error, divergence and the answer are measured.';

export const TRANSFORMED_CACHE_REASON =
  'This method keeps every token and changes its key and value, so recall by tokens has no meaning; output error, divergence and the answer are measured.';

export const PRUNED_CACHE_REASON =
  'This method keeps every token and removes channels of its key, so recall by tokens has no meaning; output error, divergence and the answer are measured.';

const reasons = {
  tokens: null,
  transformed: TRANSFORMED_CACHE_REASON,
  made: MADE_CACHE_REASON,
  pruned: PRUNED_CACHE_REASON,
};

/** Why there is no recall by tokens; null: there is. */
export function noRecallReason(method: Pick<Method, 'traits'>, parameters: Parameters): string | null {
  return reasons[method.traits(parameters).cache];
}
