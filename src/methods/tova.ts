/** TOVA (arXiv 2401.06104) as in kvpress (tova_press.py): evicts once, by what the last query before it looks at. */
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, token } from './compose';
import { keepFraction } from './defaults';
import type { Method } from './method';
import { inText } from './positions';
import { once } from './schedules/once';
import { lastQuery } from './scorers/observation-window';

export const tova: Method = {
  id: 'tova',
  title: 'TOVA',
  summary:
    'Keeps what the last query before the eviction attends to, mean over all heads, and its own token.',
  citation: {
    authors: 'Oren, Hassid, Yarden, Adi, Schwartz',
    year: 2024,
    url: 'https://arxiv.org/abs/2401.06104',
  },
  presets: {
    kvpress: { evictAfter: 'context' },
  },
  parameters: { keepFraction },
  notes: () => [
    'kvpress’s variant: evicts once and keeps the last token; the official code holds a cache at a fixed size while it decodes.',
  ],
  ...compose({
    ...{ scorer: lastQuery, budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
