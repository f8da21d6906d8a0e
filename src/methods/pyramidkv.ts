/** PyramidKV (arXiv 2406.02069) as in kvpress (pyramidkv_press.py): SnapKV's scores, and more keys in the first layers than in the last. */
import { pyramid } from './budgets/pyramid';
import { compose, token } from './compose';
import { keepFraction } from './defaults';
import type { Method } from './method';
import { numberIn, type ParameterContext, type Parameters } from './parameters';
import { inText } from './positions';
import { once } from './schedules/once';
import { checkWindow, observationWindow, windowParameters } from './scorers/observation-window';

export const pyramidkv: Method = {
  id: 'pyramidkv',
  title: 'PyramidKV',
  summary: 'SnapKV’s scores under a budget that falls from the first layer to the last.',
  does: 'allocate',
  citation: {
    authors: 'Cai, Zhang, Gao, Liu, Li, Liu, Lu, Xiong, Dong, Hu, Xiao',
    year: 2024,
    url: 'https://arxiv.org/abs/2406.02069',
  },
  presets: {
    kvpress: { parameters: { windowTokens: 64, poolKernel: 5, beta: 20 }, evictAfter: 'context' },
  },
  parameters: {
    keepFraction: {
      ...keepFraction,
      help: 'Keys that stay, mean over layers, as a fraction of the tokens before the eviction. kvpress gives the fraction removed and calls it compression_ratio.',
    },
    ...windowParameters,
    beta: {
      kind: 'count',
      label: 'Steepness',
      symbol: 'β',
      help: 'The last layer keeps the mean divided by this, where the first has room for the rest; 1 gives all layers the same.',
      unit: '',
      minimum: 1,
      maximum: () => 1000,
      default: () => 20,
    },
  },
  notes: (parameters, context) => [
    'kvpress’s variant: the window counts as part of a layer’s budget; the official code puts it on top.',
    ...(hasSlope(parameters, context)
      ? []
      : [
          'The last layer would keep less than the window, so that all layers get the same budget, as in kvpress.',
        ]),
  ],
  validate: (parameters) => checkWindow('pyramidkv', parameters),
  ...compose({
    ...{ scorer: observationWindow, budget: pyramid, unit: token, schedule: once },
    positions: inText,
  }),
};

/** Whether layers differ, of a text that is evicted from after all its tokens. */
function hasSlope(parameters: Parameters, { tokens, layers }: ParameterContext): boolean {
  const of = (layer: number): number => pyramid.count(parameters, layer, tokens, tokens, layers);
  return layers === 1 || numberIn(parameters, 'keepFraction', 0) === 1 || of(0) !== of(layers - 1);
}
