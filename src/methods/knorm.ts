/** Knorm (arXiv 2406.11430) as in kvpress (knorm_press.py): evicts once, long keys first. */
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, token } from './compose';
import { keepFraction } from './defaults';
import type { Method } from './method';
import { inText } from './positions';
import { once } from './schedules/once';
import { byKeyRule, shortKeys } from './scorers/keys-alone';

export const knorm: Method = {
  id: 'knorm',
  title: 'Knorm',
  summary: 'Keeps the shortest keys, which tend to be those that get the most attention.',
  citation: {
    authors: 'Devoto, Zhao, Scardapane, Minervini',
    year: 2024,
    url: 'https://arxiv.org/abs/2406.11430',
  },
  presets: {
    kvpress: { evictAfter: 'context' },
  },
  parameters: { keepFraction },
  notes: () => [
    'Looks at no query, so it can drop what the question is about. kvpress compresses every layer; the paper spares the first ones, where norms say little.',
  ],
  ...compose({
    ...{ scorer: byKeyRule(shortKeys), budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
