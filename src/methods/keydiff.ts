/** KeyDiff (arXiv 2504.15364) as in kvpress (keydiff_press.py): evicts once, keys that are like the others first. */
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, token } from './compose';
import { keepFraction } from './defaults';
import type { Method } from './method';
import { inText } from './positions';
import { once } from './schedules/once';
import { byKeyRule, unlikeKeys } from './scorers/keys-alone';

export const keydiff: Method = {
  id: 'keydiff',
  title: 'KeyDiff',
  summary: 'Keeps the keys that point away from the mean direction of all keys.',
  citation: {
    authors: 'Park, Jones, Morse, Goel, Lee, Lott',
    year: 2025,
    url: 'https://arxiv.org/abs/2504.15364',
  },
  presets: {
    kvpress: { evictAfter: 'context' },
  },
  parameters: { keepFraction },
  notes: () => [
    'Compares all keys at once, as kvpress’s KeyDiffPress does; the paper reads in blocks and evicts after each, which is the method “block” over these scores.',
  ],
  ...compose({
    ...{ scorer: byKeyRule(unlikeKeys), budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
