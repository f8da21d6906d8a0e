/**
 * CriticalKV (arXiv 2502.03805; kvpress criticalkv_press.py): half of the keys by another method's scores, the rest by these times how
 * much the token's value weighs in the layer's output.
 */
import { Scratch } from '../../../gpu/scratch';
import { uniformAtLeastOne } from '../budgets/uniform';
import { type Budget, compose, composeBy, type Scorer, token } from '../compose';
import { keepFraction } from '../defaults';
import { lagRanks } from '../lagkv/kvpress';
import type { Method } from '../method';
import { numberIn, type Parameters } from '../parameters';
import { inText } from '../positions';
import { once } from '../schedules/once';
import { observationWindowAsKvpress } from '../scorers/observation-window';
import { baseOf, checkBase, snapkvAndLagkvParameters, snapkvOrLagkv } from '../scorers/snapkv-or-lagkv';
import {
  type CriticalScores,
  criticalParameters,
  criticalScorer,
  type FirstStageSize,
  firstStage,
  withFirstStage,
} from './critical-scores';

const ID = 'criticalkv';

/** Keys that the first stage keeps: ⌊f·S·share⌋, and one at least where the share is not 0. */
export function firstStageCount(
  parameters: Parameters,
  layer: number,
  tokens: number,
  count: number,
): number {
  const share = numberIn(parameters, 'firstStage', layer);
  if (share === 0) return 0;
  const asked = Math.floor(numberIn(parameters, 'keepFraction', layer) * tokens * share);
  return Math.min(count, Math.max(1, asked));
}

export const firstStageSize: FirstStageSize = {
  least: firstStageCount,
  of: (_kept, ...place) => firstStageCount(...place),
  isLaterFirst: false,
};

const inTwoStages: Budget = {
  ...uniformAtLeastOne,
  keep(ops, parameters, layer, scores, count) {
    const both = scores as CriticalScores;
    const first = firstStageCount(parameters, layer, scores.score.length, count);
    if (first === 0) return uniformAtLeastOne.keep(ops, parameters, layer, scores, count);
    const scratch = new Scratch(ops);
    const list = firstStage(ops, both, first);
    const score = withFirstStage(scratch, scores.score, list);
    const kept = uniformAtLeastOne.keep(ops, parameters, layer, { score }, count);
    scratch.keep(list.buffer);
    scratch.release();
    return kept;
  },
};

const over = (base: Scorer) => {
  const scorer = criticalScorer(ID, base, firstStageSize);
  return compose({
    ...{ scorer, budget: inTwoStages, unit: token, schedule: once, positions: inText },
  });
};

const bases = { snapkv: over(observationWindowAsKvpress), lagkv: over(lagRanks as Scorer) };
export const criticalkv: Method = {
  id: ID,
  title: 'CriticalKV',
  summary:
    'Keeps keys by another method’s scores, and in a second stage by these times what the value weighs in the layer’s output.',
  citation: {
    authors: 'Feng, Lv, Guo, Cao, Xie, Zhou',
    year: 2025,
    url: 'https://arxiv.org/abs/2502.03805',
  },
  presets: {
    kvpress: {
      parameters: {
        firstStage: 0.5,
        epsilon: 0.0001,
        windowTokens: 64,
        poolKernel: 5,
        sinkTokens: 4,
        lagTokens: 128,
      },
      evictAfter: 'context',
    },
  },
  parameters: {
    base: snapkvOrLagkv('Whose scores are weighed.'),
    keepFraction,
    ...criticalParameters,
    ...snapkvAndLagkvParameters,
  },
  notes: () => [
    'Scores that are shown are those of the second stage; keys of the first stage stay whatever these are.',
  ],
  validate: (parameters, context) => checkBase(ID, parameters, context),
  ...composeBy((parameters) => bases[baseOf(parameters)]),
};
