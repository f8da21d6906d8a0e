import type { Rows } from '../../rows';
import { checkInput, checkOutput, checkSameOrApart, checkScoreRule } from '../../validate';

/**
 * out = activation(input); 'gelu-tanh': 0.5x(1 + tanh(√(2/π)(x + 0.044715x³))), 'gelu': 0.5x(1 + erf(x/√2)), 'soft-cap':
 * c·tanh(x/c) with c = `cap`, which is above 0. out may be input.
 */
export interface ActivateArguments {
  readonly kind: 'gelu-tanh' | 'gelu' | 'silu' | 'soft-cap';
  readonly cap?: number;
  readonly input: Rows;
  readonly out: Rows;
}

export function checkActivate(a: ActivateArguments): void {
  checkInput('activate', 'input', a.input);
  checkOutput('activate', 'out', a.out, a.input);
  if (a.kind === 'soft-cap') checkScoreRule('activate', { scale: 1, softCap: a.cap ?? 0 });
  checkSameOrApart('activate', 'out', a.out, 'input', a.input);
}
