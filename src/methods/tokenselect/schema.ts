/** TokenSelect's parameters (arXiv 2411.02886; pzs19/TokenSelect, patcher/token_retrieval.py). */
import { UserError } from '../../base/user-error';
import { chunkTokensDefault, mostTokens, scaledDefault } from '../defaults';
import { numberIn, type ParameterContext, type ParameterSchemas, type Parameters } from '../parameters';
import { positions } from '../positions';

export const tokenSelectParameters: ParameterSchemas = {
  initTokens: {
    kind: 'count',
    label: 'Initial tokens',
    symbol: 'n_init',
    help: 'First tokens of the text, always attended to.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: () => 16,
    paper: 128,
  },
  localTokens: {
    kind: 'count',
    label: 'Local tokens',
    symbol: 'n_local',
    help: 'Last tokens up to the end of the block, its own among them, always attended to.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(8, 64, { times: 3, over: 8 }),
    paper: 512,
  },
  selectedTokens: {
    kind: 'count',
    label: 'Selected tokens',
    symbol: 'k',
    help: 'Tokens between the two that a block attends to, chosen anew for every block.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(8, 32, 2048),
    paper: 2048,
  },
  chunkTokens: {
    kind: 'count',
    label: 'Block',
    help: 'Queries that share one selection while the text is read.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...chunkTokensDefault,
    paper: 512,
  },
  scoreQuery: {
    kind: 'choice',
    label: 'Query that votes',
    help: 'Whether queries vote from behind the local tokens or before rotation; keys are not rotated.',
    options: [
      { value: 'rotated', label: 'rotated', help: 'Query number i of a block stands at n_local + i.' },
      { value: 'unrotated', label: 'un-rotated', help: 'Before rotary positions.' },
    ],
    default: () => 'rotated',
  },
  poolKernel: {
    kind: 'count',
    label: 'Pooling',
    help: 'Width over which a token takes the largest vote around it, an odd number; 0 for none.',
    unit: 'tokens',
    minimum: 0,
    maximum: () => 63,
    isOdd: true,
    default: () => 0,
  },
  positions: { ...positions, default: () => 'cache', paper: 'cache' },
};

/** TokenSelect's lengths in one layer. */
export interface TokenSelectLengths {
  readonly initTokens: number;
  readonly localTokens: number;
  readonly selectedTokens: number;
  readonly poolKernel: number;
}

export function lengthsIn(parameters: Parameters, layer: number): TokenSelectLengths {
  const of = (name: string): number => numberIn(parameters, name, layer);
  return {
    initTokens: of('initTokens'),
    localTokens: of('localTokens'),
    selectedTokens: of('selectedTokens'),
    poolKernel: of('poolKernel'),
  };
}

export const chunkTokensOf = (parameters: Parameters): number => numberIn(parameters, 'chunkTokens', 0);

/** Checks that need several parameters at once. */
export function validateTokenSelect(parameters: Parameters, { layers }: ParameterContext): void {
  const { chunkTokens } = parameters;
  if (Array.isArray(chunkTokens) && new Set(chunkTokens).size > 1) {
    throw new UserError(
      'tokenselect: chunkTokens must be the same in every layer, because all layers read a block together; give one number.',
    );
  }
  for (let layer = 0; layer < layers; layer++) {
    const { poolKernel } = lengthsIn(parameters, layer);
    if (poolKernel > 0 && poolKernel % 2 === 0) {
      throw new UserError(`tokenselect: poolKernel must be odd, or 0 for none, not ${poolKernel}.`);
    }
  }
}
