/** Methods by what they do, for lists of them. */
import type { Method, WhatItDoes } from './method';
import type { Parameters } from './parameters';

/** In the order of a list. */
export const METHOD_GROUPS: readonly { readonly does: WhatItDoes; readonly title: string }[] = [
  { does: 'drop', title: 'Drop keys' },
  { does: 'choose', title: 'Choose anew' },
  { does: 'transform', title: 'Transform the cache' },
  { does: 'allocate', title: 'Allocate budgets' },
  { does: 'baseline', title: 'Baselines' },
];

/** What a method does: what it says of itself, or else what its traits tell. */
export function whatItDoes(method: Pick<Method, 'does' | 'traits'>, parameters: Parameters): WhatItDoes {
  if (method.does) return method.does;
  const { cache, decides, evicts } = method.traits(parameters);
  if (cache !== 'tokens') return 'transform';
  if (decides === 'never') return 'baseline';
  return evicts ? 'drop' : 'choose';
}
