/**
 * ESA, Efficient Selective Attention (arXiv 2502.14477): every block of queries scores all middle tokens with a
 * low-dimensional stand-in for the sum over heads of query · key, attends to the best of them beside the initial and the local
 * tokens, and evicts nothing.
 */

import { oneBuffer } from '../../base/planned-buffer';
import { equalBlocks, queriesHeld } from '../blocks';
import { keptLists } from '../compose';
import type { MemoryPlace, Method } from '../method';
import { choiceOf, numberIn, type Parameters } from '../parameters';
import { esaCost, esaPaperCost } from './cost';
import { EsaRun } from './run';
import { chunkTokensOf, esaParameters, isExact, lengthsIn, validateEsa } from './schema';

export const esa: Method = {
  id: 'esa',
  title: 'ESA',
  summary:
    'Every block chooses the middle tokens it attends to by compressed query · key, summed over heads.',
  citation: {
    authors: 'Wang, Teng, Guo, Xiao, Tang, Chen, Wang',
    year: 2025,
    url: 'https://arxiv.org/abs/2502.14477',
  },
  presets: { paper: { from: 'paper' } },
  parameters: esaParameters,
  traits: (parameters) => ({
    ...{ decides: 'everyBlock', evicts: false, isNested: true, approximates: !isExact(parameters) },
    ...{ sets: 'layer', cache: 'tokens', positions: { own: farPositions(parameters) } },
    wants: {
      unrotated: true,
      secondMoments: choiceOf(parameters, 'projection') === 'closed-form',
    },
  }),
  notes(parameters) {
    const projection = choiceOf(parameters, 'projection');
    return [
      ...(projection === 'closed-form'
        ? ['Closed-form variant, not ESA as published: the same loss (Eq. 7), minimised over second moments.']
        : []),
      ...(projection === 'learned'
        ? ['Learned on folded keys and queries; the paper leaves optimizer, pairing and rotation open.']
        : []),
      'The paper gives neither w nor the block length nor how ties break: dilated score, then F_s, then the earlier token.',
    ];
  },
  validate: validateEsa,
  blocks: (parameters, tokens) => equalBlocks(0, tokens, chunkTokensOf(parameters)),
  start: (context, parameters) => new EsaRun(context, parameters),
  cost: esaCost,
  paperCost: esaPaperCost,
  memory: esaMemory,
  withBudget(parameters, context, keepFraction) {
    const budget = Math.floor(keepFraction * context.tokens);
    const selected = Array.from({ length: context.layers }, (_, layer) => {
      const { initTokens, localTokens } = lengthsIn(parameters, layer);
      return budget - Math.min(context.tokens, initTokens + localTokens);
    });
    const least = Math.min(...selected);
    if (least < 0) return { floor: (budget - least) / context.tokens };
    const isUniform = selected.every((count) => count === least);
    return { parameters: { ...parameters, selectedTokens: isUniform ? least : selected } };
  },
};

/** What the rotation of far tokens depends on, and which tokens are far. */
function farPositions({ globalPosition, localTokens, chunkTokens }: Parameters): string {
  return JSON.stringify([globalPosition, localTokens, chunkTokens]);
}

function esaMemory(parameters: Parameters, place: MemoryPlace) {
  const { layers, queryHeads: H, keyValueHeads: G, headDimension: d, tokens, largestBlock: n } = place;
  const isCompressed = !isExact(parameters);
  const channels = isCompressed
    ? Math.max(...Array.from({ length: layers }, (_, layer) => numberIn(parameters, 'compressedDim', layer)))
    : 0;
  // Each token of an answer has scores of its own.
  const queries = queriesHeld(1, place, n);
  return [
    ...keptLists(place, 1, Math.max(G, queries)),
    { label: 'compressed keys', elements: channels * tokens, count: isCompressed ? layers : 0 },
    { label: 'projections', elements: channels * G * d, count: isCompressed ? 2 * layers : 0 },
    { label: 'attention to far tokens', elements: n * H * d, count: 3 },
    oneBuffer('folded queries', 2 * n * G * d),
  ];
}
