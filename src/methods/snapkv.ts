/**
 * SnapKV (arXiv 2404.14469): evicts once, by what the last queries before it look at; as in kvpress (snapkv_press.py) or as in the official
 * code (snapkv_utils.py, SnapKVCluster.update_kv).
 */
import { UserError } from '../base/user-error';
import { NOTHING_TO_EVICT } from './budget';
import { uniformAtLeastOne, uniformOf } from './budgets/uniform';
import { compose, composeBy, token } from './compose';
import { keepFraction, mostTokens, scaledDefault } from './defaults';
import type { Method } from './method';
import { choiceOf, numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { once } from './schedules/once';
import {
  checkWindow,
  largestWindow,
  observationWindow,
  observationWindowOfficial,
  windowParameters,
} from './scorers/observation-window';

const isOfficial = (parameters: Parameters): boolean => choiceOf(parameters, 'variant') === 'official';

/** `capTokens` of whatever stands before the eviction, the window included. */
const cap = uniformOf(
  (parameters, layer) => numberIn(parameters, 'capTokens', layer),
  (parameters, _context, fraction, places) => {
    const tokens = places.evictAt;
    if (tokens === 0) return { reason: NOTHING_TO_EVICT };
    const least = largestWindow(parameters) + 1;
    const capTokens = fraction >= 1 ? Math.max(tokens, least) : Math.floor(fraction * tokens);
    return capTokens >= least
      ? { parameters: { ...parameters, capTokens } }
      : { floor: Math.min(1, least / tokens) };
  },
);

const shared = { unit: token, schedule: once, positions: inText };
const kvpress = compose({ ...shared, scorer: observationWindow, budget: uniformAtLeastOne });
const official = compose({ ...shared, scorer: observationWindowOfficial, budget: cap });

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
  presets: {
    paper: { from: 'code', evictAfter: 'question' },
    kvpress: { parameters: { variant: 'kvpress', windowTokens: 64, poolKernel: 5 }, evictAfter: 'context' },
  },
  parameters: {
    variant: {
      kind: 'choice',
      label: 'Variant',
      help: 'Whose keys are chosen together, and how many.',
      options: [
        {
          value: 'kvpress',
          label: 'kvpress',
          help: 'Means over the window and over the query heads of a KV head; a fraction stays.',
        },
        {
          value: 'official',
          label: 'official',
          help: 'Every query head its own keys, by the sum over the window; a number of tokens stays.',
        },
      ],
      default: () => 'kvpress',
      paper: 'official',
    },
    keepFraction: { ...keepFraction, idleWhere: { variant: ['official'] } },
    capTokens: {
      kind: 'count',
      idleWhere: { variant: ['kvpress'] },
      label: 'Kept tokens',
      help: 'Tokens that stay, the window among them; the code calls it max_capacity_prompt. A shorter text stays whole.',
      unit: 'tokens',
      minimum: 2,
      maximum: mostTokens,
      ...scaledDefault(4, 32, 1024),
      paper: 1024,
    },
    ...windowParameters,
    pooling: {
      kind: 'choice',
      idleWhere: { variant: ['kvpress'] },
      label: 'Pooled by',
      help: 'What is taken of neighbouring tokens; kvpress takes the mean.',
      options: [
        { value: 'avg', label: 'mean', help: 'The code’s default.' },
        { value: 'max', label: 'maximum', help: 'As in its LongBench settings.' },
      ],
      default: () => 'avg',
      paper: 'max',
    },
  },
  notes: (parameters) => [
    isOfficial(parameters)
      ? 'As in the official code: each query head keeps its own keys, so that a KV head’s cache is held once for every query head; how many is a number of tokens. Where a maximum is pooled, neighbours score alike, and the earlier one stays.'
      : 'kvpress’s variant: means over window and group, mean pooling, and a fraction that includes the window; the official code sums by query head.',
  ],
  validate(parameters, { layers }) {
    checkWindow('snapkv', parameters);
    if (!isOfficial(parameters)) return;
    for (let layer = 0; layer < layers; layer++) {
      const [kept, window] = ['capTokens', 'windowTokens'].map((name) => numberIn(parameters, name, layer));
      if (kept! > window!) continue;
      throw new UserError(
        `snapkv: capTokens must be more than the ${window} tokens of the window, which are among them, not ${kept}.`,
      );
    }
  },
  ...composeBy((parameters) => (isOfficial(parameters) ? official : kvpress)),
};
