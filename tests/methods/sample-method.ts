/** Keeps every `stride`-th token before any other, recent ones first: the strided pattern of Child et al. 2019. */
import { uniformAtEviction } from '../../src/methods/budgets/uniform';
import { compose, type Scorer, token } from '../../src/methods/compose';
import { keepFraction, mostTokens } from '../../src/methods/defaults';
import type { Method } from '../../src/methods/method';
import { numberIn } from '../../src/methods/parameters';
import { positions, positionsByChoice } from '../../src/methods/positions';
import { inBuffers } from '../../src/methods/remember';
import { once } from '../../src/methods/schedules/once';
import { denseScores } from '../../src/methods/units';

const stride: Scorer = {
  // What the scores of a layer depend on: a moved budget finds them again.
  name: (parameters, layer) => `strided/${numberIn(parameters, 'stride', layer)}`,
  sets: 'layer',
  score({ ops }, parameters, { layer }, tokens) {
    const every = numberIn(parameters, 'stride', layer);
    const scores = Float32Array.from({ length: tokens }, (_, place) =>
      place % every === 0 ? tokens + place : place,
    );
    const buffer = ops.upload(scores, 'strided scores');
    return inBuffers(ops, [buffer], { score: denseScores(buffer, 1, tokens) });
  },
  decidedBy: 'place',
  operations: () => 0,
};

export const strided: Method = {
  id: 'strided',
  title: 'Strided',
  summary: 'Keeps every n-th token before any other, recent ones first.',
  citation: {
    authors: 'Child, Gray, Radford, Sutskever',
    year: 2019,
    url: 'https://arxiv.org/abs/1904.10509',
  },
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
  ...compose({
    scorer: stride,
    budget: uniformAtEviction,
    unit: token,
    schedule: once,
    positions: positionsByChoice,
  }),
};
