/** ESA's parameters (arXiv 2502.14477; what the paper leaves open has our default and says so). */
import { UserError } from '../../base/user-error';
import { chunkTokensDefault, mostTokens, scaledDefault } from '../defaults';
import {
  choiceOf,
  numberIn,
  type ParameterContext,
  type ParameterSchemas,
  type Parameters,
} from '../parameters';

export const esaParameters: ParameterSchemas = {
  projection: {
    kind: 'choice',
    label: 'Projection',
    symbol: 'f_θ, f_φ',
    help: 'How queries and keys are compressed before they are compared.',
    options: [
      {
        value: 'exact',
        label: 'exact',
        help: 'No compression: the sum over heads of query · key, folded over each KV group.',
      },
      {
        value: 'closed-form',
        label: 'closed form',
        help: 'The projection that minimises Eq. 7 over second moments; our variant, not ESA as published.',
      },
      { value: 'learned', label: 'learned', help: 'Eq. 7 minimised by gradient descent, as in the paper.' },
    ],
    default: () => 'closed-form',
    paper: 'learned',
  },
  compressedDim: {
    kind: 'count',
    idleWhere: { projection: ['exact'] },
    label: 'Compressed dimension',
    symbol: "d'",
    help: 'Channels of a compressed query or key. The paper compresses all query heads, 4,096 channels, to 128.',
    unit: 'channels',
    minimum: 1,
    maximum: (context) => context.keyValueHeads * context.headDimension,
    default: (context) => Math.max(1, Math.floor((context.keyValueHeads * context.headDimension) / 4)),
    defaultRule: 'd_G/4',
    paper: 128,
  },
  initTokens: {
    kind: 'count',
    label: 'Initial tokens',
    symbol: 'l_I',
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
    symbol: 'l_L',
    help: 'Tokens just before the block, always attended to.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(8, 64, { times: 3, over: 8 }),
    paper: 4096,
  },
  selectedTokens: {
    kind: 'count',
    label: 'Selected tokens',
    symbol: 'k',
    help: 'Tokens of the middle part that a block attends to, chosen anew for every block.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(8, 32, 256),
    paper: 2048,
  },
  chunkTokens: {
    kind: 'count',
    label: 'Block length',
    symbol: 'l_C',
    help: 'Queries that share one selection while the text is read. The paper does not give it; InfLLM uses 512.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...chunkTokensDefault,
    // All layers read a block together.
    isSameInAllLayers: true,
  },
  proximity: {
    kind: 'count',
    label: 'Proximity',
    symbol: 'ε',
    help: 'A token takes the largest score within this distance; 3 is inferred from the paper’s tables.',
    unit: 'tokens',
    minimum: 0,
    maximum: () => 64,
    default: () => 3,
    paper: 3,
  },
  globalPosition: {
    kind: 'count',
    label: 'Position towards far tokens',
    symbol: 'w',
    help: 'Rotary distance of every query to initial and selected tokens. The paper does not give it; we follow InfLLM.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: (_context, resolved) => resolved.localTokens as number | readonly number[],
    defaultRule: '`localTokens`',
  },
  scoreQuery: {
    kind: 'choice',
    label: 'Query that is scored',
    help: 'Whether scores use the query at position w, as attention will, or before rotation. The paper does not say.',
    options: [
      { value: 'rotated', label: 'rotated by w', help: 'As the attention logits of far tokens.' },
      { value: 'unrotated', label: 'un-rotated', help: 'Before rotary positions.' },
    ],
    default: () => 'rotated',
  },
};

/** ESA's lengths in one layer. */
export interface EsaLengths {
  readonly initTokens: number;
  readonly localTokens: number;
  readonly selectedTokens: number;
  readonly proximity: number;
  readonly globalPosition: number;
  readonly compressedDim: number;
}

export function lengthsIn(parameters: Parameters, layer: number): EsaLengths {
  const of = (name: string): number => numberIn(parameters, name, layer);
  return {
    initTokens: of('initTokens'),
    localTokens: of('localTokens'),
    selectedTokens: of('selectedTokens'),
    proximity: of('proximity'),
    globalPosition: of('globalPosition'),
    compressedDim: of('compressedDim'),
  };
}

/** Checks that need several parameters at once. */
export function validateEsa(parameters: Parameters, context: ParameterContext): void {
  if (choiceOf(parameters, 'projection') === 'learned' && !scoresRotated(parameters)) {
    throw new UserError(
      'esa: learned projections are for queries rotated to w; use scoreQuery "rotated", or projection "closed-form" or "exact".',
    );
  }
  for (let layer = 0; layer < context.layers; layer++) {
    const { localTokens, globalPosition } = lengthsIn(parameters, layer);
    const span = localTokens + chunkTokensOf(parameters);
    if (context.trainedTokens !== null && span > context.trainedTokens) {
      throw new UserError(
        `esa: localTokens + chunkTokens is ${span}, beyond the ${context.trainedTokens} tokens the model was trained on; make one of them smaller.`,
      );
    }
    const farthest = Math.max(localTokens, context.tokens);
    if (globalPosition > farthest) {
      throw new UserError(
        `esa: globalPosition must be at most ${farthest} for this text, not ${globalPosition}.`,
      );
    }
  }
}

export function chunkTokensOf(parameters: Parameters): number {
  return numberIn(parameters, 'chunkTokens', 0);
}

export const isExact = (parameters: Parameters): boolean => choiceOf(parameters, 'projection') === 'exact';
export const scoresRotated = (parameters: Parameters): boolean =>
  choiceOf(parameters, 'scoreQuery') === 'rotated';
