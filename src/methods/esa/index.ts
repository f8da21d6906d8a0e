/**
 * ESA, Efficient Selective Attention (arXiv 2502.14477): every block of queries scores all middle tokens with a
 * low-dimensional stand-in for the sum over heads of query · key, attends to the best of them beside the initial and the local
 * tokens, and evicts nothing.
 */
import { equalBlocks } from '../blocks';
import type { Method } from '../method';
import { choiceOf } from '../parameters';
import { esaCost, esaPaperCost } from './cost';
import { EsaRun } from './run';
import { chunkTokensOf, esaParameters, lengthsIn, validateEsa } from './schema';

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
  family: 'reselect',
  sets: 'layer',
  needs: { unrotated: true, fullAttention: false },
  parameters: esaParameters,
  readsText: (parameters, calibration) =>
    choiceOf(parameters, 'projection') === 'closed-form' && !calibration?.hasSecondMoments,
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
  positions: ({ globalPosition, localTokens, chunkTokens }) => ({
    own: JSON.stringify([globalPosition, localTokens, chunkTokens]),
  }),
  validate: validateEsa,
  blocks: (parameters, tokens) => equalBlocks(0, tokens, chunkTokensOf(parameters)),
  start: (context, parameters) => new EsaRun(context, parameters),
  cost: esaCost,
  paperCost: esaPaperCost,
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
