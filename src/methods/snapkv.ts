/** SnapKV (arXiv 2404.14469) as in kvpress (snapkv_press.py): evicts once, by what the last queries before it look at. */
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, token } from './compose';
import { keepFraction } from './defaults';
import type { Method } from './method';
import { inText } from './positions';
import { once } from './schedules/once';
import { checkWindow, observationWindow, windowParameters } from './scorers/observation-window';

export const snapkv: Method = {
  id: 'snapkv',
  title: 'SnapKV',
  summary:
    'Keeps what the last queries before the eviction attend to, pooled along the text, and those last tokens.',
  citation: {
    authors: 'Li, Huang, Yang, Venkitesh, Locatelli, Ye, Cai, Lewis, Chen',
    year: 2024,
    url: 'https://arxiv.org/abs/2404.14469',
  },
  parameters: { keepFraction, ...windowParameters },
  notes: () => [
    'kvpress’s variant: means over window and group, mean pooling, and a fraction that includes the window; the official code sums by query head.',
  ],
  validate: (parameters) => checkWindow('snapkv', parameters),
  ...compose({
    ...{ scorer: observationWindow, budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
