/** LagKV's parameters (arXiv 2504.04704; kvpress lagkv_press.py). */
import { UserError } from '../../base/user-error';
import { keepFraction, mostTokens, scaledDefault } from '../defaults';
import {
  choiceOf,
  numberIn,
  type ParameterContext,
  type ParameterSchemas,
  type Parameters,
} from '../parameters';
import { positions } from '../positions';

export const lagkvParameters: ParameterSchemas = {
  variant: {
    kind: 'choice',
    label: 'Variant',
    help: 'How much is kept and when.',
    options: [
      {
        value: 'official',
        label: 'official',
        help: 'Compresses while it reads: the best of every partition; sinks, the last lag and the remainder on top.',
      },
      {
        value: 'kvpress',
        label: 'kvpress',
        help: 'Evicts once; ranks inside partitions compete for one budget.',
      },
    ],
    default: () => 'official',
    paper: 'official',
  },
  keepFraction: {
    ...keepFraction,
    symbol: 'r',
    help: 'Official: keys kept of every lag partition (the paper’s retain ratio). kvpress: of the tokens before the eviction, where compression_ratio is the fraction removed.',
    paper: 0.5,
  },
  sinkTokens: {
    kind: 'count',
    label: 'Sink tokens',
    symbol: 'S',
    help: 'First tokens of the text, always kept; kvpress calls them n_sink.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: (_context, resolved) => (resolved.variant === 'kvpress' ? 4 : 16),
    defaultRule: 'official 16, kvpress 4',
    paper: 16,
  },
  lagTokens: {
    kind: 'count',
    label: 'Lag',
    symbol: 'L',
    help: 'Tokens of a partition; each is scored against the range of values in the next one.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(16, 16, 128),
    paper: 1024,
  },
  valueWeight: {
    kind: 'fraction',
    label: 'Weight of values',
    symbol: 'β',
    help: 'Factor of the values’ score, the keys’ being 1; the code calls it score_v_ratio.',
    minimum: 0,
    maximum: 10,
    unit: '',
    default: () => 1,
    paper: 1,
  },
  prefill: {
    kind: 'choice',
    idleWhere: { variant: ['kvpress'] },
    label: 'Prefill',
    help: 'How the official variant reads the prompt; what stays after it is the same.',
    options: [
      {
        value: 'chunked',
        label: 'chunked',
        help: 'S + 2L tokens, then L at a time, compressing after each: the option of its README.',
      },
      {
        value: 'monolithic',
        label: 'monolithic',
        help: 'All of it with full attention, then one compression: the class’s default.',
      },
    ],
    default: () => 'chunked',
  },
  positions,
};

/** Throws UserError, one sentence, where LagKV's scores, those of the method `id`, have no spread to go by. */
export function checkSpread(id: string, { headDimension }: Pick<ParameterContext, 'headDimension'>): void {
  if (headDimension >= 2) return;
  throw new UserError(
    `${id} scores by the spread over a head’s channels, and there is only one here; choose another method.`,
  );
}

/** LagKV's numbers in one layer. */
export interface Lag {
  readonly sinkTokens: number;
  readonly lagTokens: number;
  /** Keys kept of a partition, ⌊r·L⌋ in double arithmetic. */
  readonly keptOfPartition: number;
  readonly valueWeight: number;
}

export function lagIn(parameters: Parameters, layer: number): Lag {
  const lagTokens = numberIn(parameters, 'lagTokens', layer);
  return {
    sinkTokens: numberIn(parameters, 'sinkTokens', layer),
    lagTokens,
    keptOfPartition: Math.floor(numberIn(parameters, 'keepFraction', layer) * lagTokens),
    valueWeight: numberIn(parameters, 'valueWeight', layer),
  };
}

/** Whether the prompt is read densely and compressed once; kvpress always reads so, and evicts by its own rule. */
export const isMonolithic = (parameters: Parameters): boolean =>
  isOfficial(parameters) && choiceOf(parameters, 'prefill') === 'monolithic';

export const isOfficial = (parameters: Parameters): boolean => choiceOf(parameters, 'variant') === 'official';
