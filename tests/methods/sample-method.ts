/** Keeps every `stride`-th token before any other, recent ones first: the strided pattern of Child et al. 2019. */
import { evictOnceBudget } from '../../src/methods/budget';
import { keepFraction, mostTokens, positions, positionsByChoice } from '../../src/methods/defaults';
import { denseScores, evictOnce, evictOnceBlocks, evictOnceCost } from '../../src/methods/evict-once';
import type { Method } from '../../src/methods/method';
import { numberIn } from '../../src/methods/parameters';
import { inBuffers } from '../../src/methods/remember';

export const strided: Method = {
  id: 'strided',
  title: 'Strided',
  summary: 'Keeps every n-th token before any other, recent ones first.',
  citation: {
    authors: 'Child, Gray, Radford, Sutskever',
    year: 2019,
    url: 'https://arxiv.org/abs/1904.10509',
  },
  family: 'evict-once',
  sets: 'layer',
  needs: { unrotated: false, fullAttention: false },
  parameters: {
    keepFraction,
    stride: {
      kind: 'count',
      label: 'Stride',
      help: 'Distance between the tokens that are kept first.',
      unit: 'tokens',
      minimum: 1,
      maximum: mostTokens,
      default: () => 8,
      paper: 128,
    },
    positions,
  },
  evictsOnce: () => true,
  positions: positionsByChoice,
  blocks: evictOnceBlocks,
  start: (context, parameters) =>
    evictOnce(context, parameters, {
      // What the scores of a layer depend on: a moved budget finds them again.
      name: (layer) => `strided/${numberIn(parameters, 'stride', layer)}`,
      score({ ops }, { layer }, tokens) {
        const stride = numberIn(parameters, 'stride', layer);
        const scores = Float32Array.from({ length: tokens }, (_, token) =>
          token % stride === 0 ? tokens + token : token,
        );
        const buffer = ops.upload(scores, 'strided scores');
        return inBuffers(ops, [buffer], { score: denseScores(buffer, 1, tokens) });
      },
      decidedBy: 'place',
      candidates: (_layer, tokens) => ({ start: 0, end: tokens }),
    }),
  cost: evictOnceCost(() => 0),
  withBudget: evictOnceBudget,
};
