/**
 * AdaKV (arXiv 2407.11550; kvpress adakv_press.py): the scores of another method, compared across the heads of a layer, so that heads
 * which spread their attention keep more. The layer keeps as many keys as with equal shares.
 */
import { ada } from './budgets/ada';
import { compose, composeBy, type Scorer, type Scores, token } from './compose';
import { keepFraction } from './defaults';
import { lagRanks } from './lagkv/kvpress';
import { lagkvParameters } from './lagkv/schema';
import type { Method } from './method';
import { choiceOf, type Parameters } from './parameters';
import { inText } from './positions';
import { once } from './schedules/once';
import { checkWindow, observationWindow, windowParameters } from './scorers/observation-window';

const over = <Made extends Scores>(scorer: Scorer<Made>) =>
  compose({ scorer, budget: ada, unit: token, schedule: once, positions: inText });

const bases = { snapkv: over(observationWindow), lagkv: over(lagRanks) };

const baseOf = (parameters: Parameters): keyof typeof bases =>
  choiceOf(parameters, 'base') === 'lagkv' ? 'lagkv' : 'snapkv';

const { sinkTokens, lagTokens, valueWeight } = lagkvParameters;

export const adakv: Method = {
  id: 'adakv',
  title: 'AdaKV',
  summary:
    'Shares a layer’s budget out among its heads by another method’s scores, with a floor for each head.',
  citation: {
    authors: 'Feng, Lv, Cao, Xie, Zhou',
    year: 2024,
    url: 'https://arxiv.org/abs/2407.11550',
  },
  parameters: {
    base: {
      kind: 'choice',
      label: 'Scores',
      help: 'Whose scores are compared.',
      options: [
        { value: 'snapkv', label: 'SnapKV', help: 'What the last queries attend to.' },
        { value: 'lagkv', label: 'LagKV', help: 'How spread a key and its value are; ranks, as in kvpress.' },
      ],
      default: () => 'snapkv',
    },
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
      paper: 0.2,
    },
    ...windowParameters,
    sinkTokens: { ...sinkTokens!, default: () => 4, defaultRule: '4' } as typeof sinkTokens & object,
    lagTokens: lagTokens!,
    valueWeight: valueWeight!,
  },
  notes: (parameters) => [
    `Window and pooling belong to SnapKV’s scores; sinks, lag and weight of values to LagKV’s. In use: ${baseOf(parameters) === 'lagkv' ? 'LagKV’s' : 'SnapKV’s'}.`,
  ],
  validate: (parameters) => checkWindow('adakv', parameters),
  ...composeBy((parameters) => bases[baseOf(parameters)]),
};
