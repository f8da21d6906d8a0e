/** Squeezed Attention's parameters (arXiv 2411.09688; SqueezeAILab/SqueezedAttention, squeezedattention/clustering.py). */
import { chunkTokensDefault, mostTokens, scaledDefault } from '../defaults';
import { choiceOf, INJECTED, numberIn, type ParameterSchemas, type Parameters } from '../parameters';

export const squeezedParameters: ParameterSchemas = {
  clusters: {
    kind: 'count',
    idleWhere: { labels: [INJECTED] },
    label: 'Clusters',
    help: 'Clusters of the keys of each KV head; the paper has 5 % as many as there are keys.',
    unit: 'clusters',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(20, 4, 4096),
  },
  quantile: {
    kind: 'fraction',
    label: 'Pruned fraction',
    help: 'Of all tokens, heads and layers, how many the last queries of the context would not have looked up: where the threshold lies. 0: none.',
    minimum: 0,
    maximum: 1,
    unit: '%',
    default: () => 0.7,
    paper: 0.7,
  },
  coarseClusters: {
    kind: 'count',
    idleWhere: { labels: [INJECTED] },
    label: 'Coarse clusters',
    help: 'Clusters of clusters that are looked up first; 0 for one level. The paper has 1 % as many as there are keys.',
    unit: 'clusters',
    minimum: 0,
    maximum: mostTokens,
    default: () => 0,
  },
  coarseQuantile: {
    kind: 'fraction',
    idleWhere: { coarseClusters: [0] },
    label: 'Pruned at the first level',
    help: 'The same of coarse clusters: clusters in those that are not looked up are not looked at.',
    minimum: 0,
    maximum: 1,
    unit: '%',
    default: () => 0.5,
    paper: 0.5,
  },
  observationTokens: {
    kind: 'count',
    label: 'Observation window',
    help: 'Last tokens of the context, which are in no cluster and always seen; their queries set the threshold.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...scaledDefault(16, 8, 100),
    paper: 100,
  },
  chunkTokens: {
    kind: 'count',
    label: 'Block of queries',
    help: 'Queries after the context that share one look-up while they are read.',
    unit: 'tokens',
    minimum: 1,
    maximum: mostTokens,
    ...chunkTokensDefault,
    // All layers read a block together.
    isSameInAllLayers: true,
  },
  seed: {
    kind: 'count',
    idleWhere: { labels: [INJECTED] },
    label: 'Seed',
    help: 'Another seed begins with other keys as the centres of clusters.',
    unit: '',
    minimum: 0,
    maximum: () => 2 ** 32 - 1,
    default: () => 1,
  },
  labels: {
    kind: 'choice',
    label: 'Clusters come from',
    help: 'Which key is in which cluster, where it is not computed here.',
    options: [
      { value: '', label: 'k-means', help: 'As they are computed here.' },
      {
        value: INJECTED,
        label: 'the capture',
        help: 'As `cluster_labels` and `coarse_labels` of the capture say.',
      },
    ],
    default: () => '',
    isGivenOnly: true,
  },
};

/** Its numbers in one layer. */
export interface SqueezedNumbers {
  /** Tokens that are clustered: those of the context before the observation window. */
  readonly clustered: number;
  readonly observed: number;
  readonly clusters: number;
  /** 0: one level. */
  readonly coarseClusters: number;
  readonly quantile: number;
  readonly coarseQuantile: number;
  readonly seed: number;
}

/** `contextEnd`: the first token that is not of the context. */
export function numbersIn(parameters: Parameters, layer: number, contextEnd: number): SqueezedNumbers {
  const of = (name: string): number => numberIn(parameters, name, layer);
  const observed = of('observationTokens');
  const clustered = Math.max(0, contextEnd - observed);
  const clusters = Math.min(of('clusters'), clustered);
  return {
    ...{ clustered, observed, clusters, coarseClusters: Math.min(of('coarseClusters'), clusters) },
    ...{ quantile: of('quantile'), coarseQuantile: of('coarseQuantile'), seed: of('seed') },
  };
}

export const chunkTokensOf = (parameters: Parameters): number => numberIn(parameters, 'chunkTokens', 0);
export const isInjected = (parameters: Parameters): boolean => choiceOf(parameters, 'labels') === INJECTED;

/** What the clusters of a layer depend on beside the text. */
export function clustersName(parameters: Parameters, layer: number, contextEnd: number): string {
  const { clustered, clusters, coarseClusters, seed } = numbersIn(parameters, layer, contextEnd);
  return [clustered, clusters, coarseClusters, isInjected(parameters) ? 'injected' : seed].join('/');
}

/** Layers are clustered together as long as their keys have no more numbers than this, or one by one. */
const MOST_NUMBERS = 2 ** 22;

/** How many layers, whose keys have so many numbers each, are clustered together at most. */
export const layersAtOnce = (numbers: number): number => Math.floor(MOST_NUMBERS / Math.max(1, numbers)) + 1;

/** Products of rows with centres that are held at once, where a row has fewer. */
export const MOST_PRODUCTS = 2 ** 22;
