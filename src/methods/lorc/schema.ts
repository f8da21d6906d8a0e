/** LoRC's parameters (arXiv 2410.03111) and the ranks that they ask for. */
import {
  type CountParameter,
  choiceOf,
  numberIn,
  type ParameterContext,
  type Parameters,
} from '../parameters';

/** G·d, the rows of W_K and W_V and the largest rank. */
export function fullRank({ keyValueHeads, headDimension }: ParameterContext): number {
  return keyValueHeads * headDimension;
}

const share = (divisor: number) => ({
  default: (context: ParameterContext): number => Math.max(1, Math.floor(fullRank(context) / divisor)),
  defaultRule: divisor === 1 ? 'G·d' : `G·d/${divisor}`,
});

const rank = (
  idle: string,
  label: string,
  help: string,
  divisor: number,
  symbol?: string,
): CountParameter => ({
  idleWhere: { rule: [idle] },
  ...{ kind: 'count', label, help, unit: 'channels', minimum: 1, maximum: fullRank },
  ...(symbol !== undefined && { symbol }),
  ...share(divisor),
});

export const lorcParameters = {
  rule: {
    kind: 'choice',
    label: 'Ranks',
    help: 'Where the ranks of the layers come from.',
    options: [
      { value: 'given', label: 'given', help: 'Ranks of keys and of values, for all layers or for each.' },
      {
        value: 'cumulative-condition',
        label: 'by condition',
        help: 'One rank a layer for both: the more the maps from there to the last layer amplify an error, the higher.',
      },
    ],
    default: () => 'given',
    paper: 'cumulative-condition',
  },
  keyRanks: rank('cumulative-condition', 'Key rank', 'Singular values of W_K that stay.', 2),
  valueRanks: rank('cumulative-condition', 'Value rank', 'Singular values of W_V that stay.', 2),
  maxRank: rank(
    'given',
    'Largest rank',
    'Of the first layer, where ranks follow from condition numbers.',
    1,
    'd_max',
  ),
  minRank: rank(
    'given',
    'Smallest rank',
    'Of the last layer, where ranks follow from condition numbers.',
    4,
    'd_min',
  ),
} as const;

/** Of keys and of values. */
export interface Ranks {
  readonly key: number;
  readonly value: number;
}

export function followsCondition(parameters: Parameters): boolean {
  return choiceOf(parameters, 'rule') === 'cumulative-condition';
}

export function rankBounds(parameters: Parameters, layer: number): { most: number; least: number } {
  return { most: numberIn(parameters, 'maxRank', layer), least: numberIn(parameters, 'minRank', layer) };
}

/** The ranks of a layer before any weight is known: those given, or those of layers whose condition numbers are all alike. */
export function plannedRanks(parameters: Parameters, layers: number, layer: number): Ranks {
  if (!followsCondition(parameters)) {
    return { key: numberIn(parameters, 'keyRanks', layer), value: numberIn(parameters, 'valueRanks', layer) };
  }
  const alike = Array.from({ length: layers }, () => Math.E);
  const rank = rankByCondition(alike, layer, rankBounds(parameters, layer));
  return { key: rank, value: rank };
}

/**
 * The rank of a layer by cumulative condition numbers (arXiv 2410.03111, section 3.2): with κ̃_ℓ = Π_{j ≥ ℓ} κ_j it is
 * d_max·[1 − (max log κ̃ − log κ̃_ℓ) ÷ (max log κ̃ − min log κ̃)·(1 − d_min ÷ d_max)], rounded. `conditions`: κ_j = κ(W_K)·κ(W_V) of
 * every layer. Layers that do not differ have d_max.
 */
export function rankByCondition(
  conditions: readonly number[],
  layer: number,
  { most, least }: { readonly most: number; readonly least: number },
): number {
  const cumulated = conditions.map((_, from) =>
    conditions.slice(from).reduce((sum, condition) => sum + Math.log(condition), 0),
  );
  const [largest, smallest] = [Math.max(...cumulated), Math.min(...cumulated)];
  const below = largest > smallest ? (largest - cumulated[layer]!) / (largest - smallest) : 0;
  return Math.round(most * (1 - below * (1 - least / most)));
}
