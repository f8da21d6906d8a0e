/**
 * AdaKV (arXiv 2407.11550; kvpress adakv_press.py): the scores of another method, compared across the heads of a layer, so that heads
 * which spread their attention keep more. The layer keeps as many keys as with equal shares.
 */
import { ada } from './budgets/ada';
import { compose, composeBy, type Scorer, type Scores, token } from './compose';
import { keepFraction } from './defaults';
import { lagRanks } from './lagkv/kvpress';
import type { Method } from './method';
import { inText } from './positions';
import { once } from './schedules/once';
import { observationWindow } from './scorers/observation-window';
import { baseOf, checkBase, snapkvAndLagkvParameters, snapkvOrLagkv } from './scorers/snapkv-or-lagkv';

const over = <Made extends Scores>(scorer: Scorer<Made>) =>
  compose({ scorer, budget: ada, unit: token, schedule: once, positions: inText });

const bases = { snapkv: over(observationWindow), lagkv: over(lagRanks) };

export const adakv: Method = {
  id: 'adakv',
  title: 'AdaKV',
  summary:
    'Shares a layer’s budget out among its heads by another method’s scores, with a floor for each head.',
  does: 'allocate',
  citation: {
    authors: 'Feng, Lv, Cao, Xie, Zhou',
    year: 2024,
    url: 'https://arxiv.org/abs/2407.11550',
  },
  presets: {
    kvpress: {
      parameters: { floorFraction: 0.2, windowTokens: 64, poolKernel: 5, sinkTokens: 4, lagTokens: 128 },
      evictAfter: 'context',
    },
  },
  parameters: {
    base: snapkvOrLagkv('Whose scores are compared.'),
    keepFraction,
    floorFraction: {
      kind: 'fraction',
      label: 'Floor',
      symbol: 'α',
      help: 'What every head keeps of its own best, as a fraction of the mean over heads; alpha_safeguard in kvpress, 0.2 by default.',
      minimum: 0,
      maximum: 1,
      unit: '%',
      default: () => 0.2,
    },
    ...snapkvAndLagkvParameters,
  },
  validate: (parameters, context) => checkBase('adakv', parameters, context),
  ...composeBy((parameters) => bases[baseOf(parameters)]),
};
