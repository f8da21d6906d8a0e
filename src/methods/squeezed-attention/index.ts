/**
 * Squeezed Attention (arXiv 2411.09688): the keys of a context are clustered once; later queries look up centroids, and attend to the keys
 * of those clusters that score above a threshold. Nothing is evicted (SqueezeAILab/SqueezedAttention, squeezedattention/).
 */
import { equalBlocks, queriesHeld, studyBlocks } from '../blocks';
import { keptLists } from '../compose';
import { defaultChunkTokens } from '../defaults';
import { costOfEverything } from '../keep-everything';
import type { Method } from '../method';
import { SqueezedRun } from './run';
import { chunkTokensOf, layersAtOnce, MOST_PRODUCTS, numbersIn, squeezedParameters } from './schema';

export const squeezedAttention: Method = {
  id: 'squeezed-attention',
  title: 'Squeezed Attention',
  summary:
    'Keys of the context are clustered once; every block sees the clusters whose centroids it looks up above one threshold.',
  citation: {
    authors: 'Hooper, Kim, Mohammadzadeh, Maheswaran, Paik, Mahoney, Keutzer, Gholami',
    year: 2024,
    url: 'https://arxiv.org/abs/2411.09688',
  },
  presets: { paper: { from: 'code' } },
  parameters: squeezedParameters,
  traits: (parameters) => ({
    ...{ decides: 'everyBlock', evicts: false, isNested: false, approximates: false },
    ...{ sets: 'queryHead', cache: 'tokens', positions: 'model', unit: 'a cluster' },
    unitName: 'cluster',
    wants: {
      recorded: true,
      recordedQueries: Math.max(...[parameters.observationTokens].flat().map(Number)),
    },
  }),
  notes: () => [
    'The context is what stands before the queries, read with full attention; its own last queries set the threshold, one for all layers and heads, and so each keeps as much as it looks up. Cost is counted at the pruned fraction; what is kept is measured.',
  ],
  blocks(parameters, tokens, evictAt, context) {
    const end = Math.max(0, Math.min(evictAt, tokens));
    return [
      ...equalBlocks(0, end, defaultChunkTokens(context)),
      ...equalBlocks(end, tokens, chunkTokensOf(parameters)),
    ];
  },
  start: (context, parameters) => new SqueezedRun(context, parameters),
  /** A product, an exponential, its share and a comparison for every centroid that is looked up. Kept keys by the pruned fraction. */
  cost(parameters, context, layer, query) {
    const { queryHeads: H, keyValueHeads: G, headDimension: d } = context;
    const { position, evictAt } = query;
    const numbers = numbersIn(parameters, layer, evictAt);
    const { clustered, clusters, coarseClusters, quantile, coarseQuantile } = numbers;
    if (position < evictAt || clustered === 0 || (quantile === 0 && coarseClusters === 0))
      return costOfEverything(parameters, context, layer, query);
    const share = coarseClusters > 0 ? Math.min(1 - quantile, 1 - coarseQuantile) : 1 - quantile;
    const keptKeys = Math.floor(share * clustered) + position + 1 - clustered;
    const fine = coarseClusters > 0 ? Math.ceil((1 - coarseQuantile) * clusters) : clusters;
    const lookedUp = coarseClusters + fine;
    // Heads that share a KV head may choose the same keys, which are read once: at most all of them are.
    const read = Math.min((H / G) * keptKeys, position + 1);
    return {
      keptKeys,
      selectionOperations: H * lookedUp * (2 * d + 4),
      readNumbers: 2 * G * d * read + G * d * lookedUp,
    };
  },
  memory(parameters, place) {
    const { queryHeads: H, keyValueHeads: G, headDimension: d, tokens, layers, largestBlock } = place;
    const each = queriesHeld(H, place);
    const sizes = Array.from({ length: layers }, (_, layer) => numbersIn(parameters, layer, tokens));
    const clusters = Math.max(...sizes.map((of) => of.clusters + of.coarseClusters));
    const observed = Math.max(...sizes.map((of) => Math.min(tokens, of.observed)));
    const queries = Math.max(largestBlock, observed, each);
    return [
      ...keptLists(place, 1, H * each),
      { label: 'centroids', elements: G * clusters * (d + 4), count: layers },
      { label: 'labels of clusters', elements: G * (tokens + clusters), count: layers },
      { label: 'looked-up clusters', elements: H * each * clusters, count: 4 },
      { label: 'queries for centroids', elements: H * queries * (d + 4), count: 2 },
      // While clusters are found.
      {
        label: 'keys of a context',
        elements: G * tokens * d,
        count: Math.min(layers, layersAtOnce(G * tokens * d)),
      },
      { label: 'products with centres', elements: Math.min(MOST_PRODUCTS, tokens * clusters), count: 1 },
    ];
  },
  /** The pruned fraction with which, as often as the observation window looked keys up, the last block sees the budget. */
  withBudget(parameters, context, keepFraction, places) {
    const { tokens, layers } = context;
    const budget = Math.floor(keepFraction * tokens);
    const end = places.evictAt;
    const blocks = studyBlocks(squeezedAttention, parameters, { tokens, ...places }, context);
    const lastStart = blocks.at(-1)?.start ?? 0;
    let floor = 0;
    const quantiles = Array.from({ length: layers }, (_, layer) => {
      const { clustered } = numbersIn(parameters, layer, end);
      const always = lastStart - Math.min(clustered, lastStart);
      floor = Math.max(floor, always);
      if (keepFraction >= 1 || clustered === 0) return 0;
      return Math.min(1, Math.max(0, 1 - (budget - always) / clustered));
    });
    if (keepFraction < 1 && floor > budget) return { floor: floor / tokens };
    const isUniform = quantiles.every((quantile) => quantile === quantiles[0]);
    const quantile = isUniform ? quantiles[0]! : quantiles;
    // Where everything is to be kept the first level may not drop anything either.
    return {
      parameters: { ...parameters, quantile, ...(keepFraction >= 1 ? { coarseQuantile: 0 } : {}) },
    };
  },
};
