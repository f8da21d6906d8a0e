/** SparQ's parameters (arXiv 2312.04985; SparseQ.Settings and AnnAttention of the authors' code). */
import { mostTokens, scaledDefault } from '../defaults';
import { numberIn, type ParameterSchemas, type Parameters } from '../parameters';

export const sparqParameters: ParameterSchemas = {
  rankChannels: {
    kind: 'count',
    label: 'Channels',
    symbol: 'r',
    help: 'Channels that queries are compared with keys on, those where the query heads of a KV head are largest together.',
    unit: 'channels',
    minimum: 1,
    maximum: ({ headDimension }) => headDimension,
    default: ({ headDimension }) => Math.max(1, Math.floor(headDimension / 4)),
    defaultRule: 'd/4',
    paper: 32,
  },
  selectedTokens: {
    kind: 'count',
    label: 'Selected tokens',
    symbol: 'k',
    help: 'Earlier keys that a query sees beside its own, local ones among them.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    ...scaledDefault(8, 32, 128),
    paper: 128,
  },
  localTokens: {
    kind: 'count',
    idleWhere: { selectedTokens: [0] },
    label: 'Local tokens',
    help: 'Of these the last ones are seen in any case.',
    unit: 'tokens',
    minimum: 0,
    maximum: mostTokens,
    default: () => 16,
    paper: 16,
  },
  meanValue: {
    kind: 'choice',
    label: 'What is left out counts',
    help: 'Whether the mean of all values stands for the keys that are left out, as far as their approximate logits weigh.',
    options: [
      { value: true, label: 'by its mean', help: 'As in the paper.' },
      { value: false, label: 'nothing', help: 'Attention to the chosen keys alone.' },
    ],
    default: () => true,
    paper: true,
  },
};

/** r in a layer: at most all channels. */
export function channelsIn(parameters: Parameters, layer: number, headDimension: number): number {
  return Math.min(headDimension, numberIn(parameters, 'rankChannels', layer));
}
