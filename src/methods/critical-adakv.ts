/**
 * CriticalAdaKV (arXiv 2502.03805; kvpress criticalkv_press.py, CriticalAdaKVPress): AdaKV says how many keys each head keeps, CriticalKV
 * which. Of head g's B_g keys the floor and the best ⌊B_g · firstStage⌋ by the other method's scores stay, the rest by (s + ε)·ν.
 */
import type { ScoreRows } from '../../gpu/ops';
import { headMajorRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { adakv } from './adakv';
import { ada } from './budgets/ada';
import { uniformAtLeastOne } from './budgets/uniform';
import { type Budget, compose, composeBy, type Scorer, token } from './compose';
import {
  addPoints,
  type CriticalScores,
  criticalParameters,
  criticalScorer,
} from './criticalkv/critical-scores';
import { keepFraction } from './defaults';
import { lagRanks } from './lagkv/kvpress';
import type { Method } from './method';
import { numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { once } from './schedules/once';
import { observationWindowAsKvpress } from './scorers/observation-window';
import { asColumn, PROTECTED } from './scorers/rows';
import { baseOf, checkBase, snapkvAndLagkvParameters, snapkvOrLagkv } from './scorers/snapkv-or-lagkv';
import { denseScores } from './units';

const ID = 'critical-adakv';

/** Between whole numbers of keys: what 32 bits make of ranks is nearer to theirs. */
const ROUNDING = 0.01;

/** What every head keeps of its own best. */
const floorCount = (parameters: Parameters, layer: number, count: number): number =>
  Math.min(count, Math.max(1, Math.floor(numberIn(parameters, 'floorFraction', layer) * count)));

const inTwoStages: Budget = {
  ...uniformAtLeastOne,
  keep(ops, parameters, layer, scores, count) {
    const { score, base } = scores as CriticalScores;
    const { rows: sets, length: n } = score;
    const scratch = new Scratch(ops);
    const of = (label: string): ScoreRows => denseScores(scratch.floats(sets * n, label), sets, n);
    const add = (from: ScoreRows, to: ScoreRows, factor: number, accumulate = true): void =>
      ops.sumHeads({ input: asColumn(from), out: asColumn(to), factor, accumulate });
    const constant = (value: number): ScoreRows =>
      denseScores(scratch.upload(new Float32Array(sets * n).fill(value), 'a number'), sets, n);

    // AdaKV's choice, counted: B_g, for every token of the head.
    const shared = ada.keep(ops, parameters, layer, base, count);
    const chosen = denseScores(scratch.keep(ops.allocate('f32', sets * n, 'kept by AdaKV')), sets, n);
    addPoints(scratch, shared.list, 1, chosen);
    const counts = denseScores(scratch.floats(sets, 'keys of each head'), sets, 1);
    ops.segmentReduce({ kind: 'sum', input: chosen, segmentLength: n, out: counts });
    const budget = of('keys of each head, for every token');
    ops.expandSegments({ input: counts, segmentLength: n, out: budget });

    // A token's place in its head, 0 the lowest; it is among the best x where its place + x − n is 0 or more.
    const places = (from: ScoreRows): ScoreRows => {
      const ranks = of('ranks');
      ops.segmentRanks({ input: from, segmentLength: n, out: ranks });
      const out = of('places');
      add(ranks, out, n, false);
      return out;
    };
    const place = places(base.score);
    // Both conditions and 0 side by side: their largest is above 0 for what the first stage keeps.
    const conditions = scratch.upload(new Float32Array(3 * sets * n), 'conditions of the first stage');
    const condition = (offset: number) => ({
      ...{ ...headMajorRows(conditions, sets, n, 1, offset), headStride: 3 * n, rowStride: 3 },
    });
    const fill = (offset: number, from: ScoreRows, factor: number): void =>
      ops.sumHeads({ input: asColumn(from), out: condition(offset), factor, accumulate: true });
    const floor = floorCount(parameters, layer, count);
    for (const offset of [0, 1]) fill(offset, place, 1);
    fill(0, budget, numberIn(parameters, 'firstStage', layer));
    fill(0, constant(ROUNDING - n), 1);
    fill(1, constant(ROUNDING + floor - n), 1);
    const isInFirstStage = of('above 0 in the first stage');
    ops.segmentReduce({
      ...{
        kind: 'max',
        segmentLength: 3,
        out: { ...isInFirstStage, rows: 1, length: sets * n, rowStride: sets * n },
      },
      input: denseScores(conditions, 1, 3 * sets * n),
    });

    const combined = of('scores of both stages');
    add(score, combined, 1, false);
    add(isInFirstStage, combined, PROTECTED);
    // Place + B_g is n or more for what a head keeps, and below for everything else: the best of all heads together.
    const margin = places(combined);
    add(budget, margin, 1);
    // Floors have done their part: without one this list could be longer than AdaKV's.
    const list = { ...shared.list, buffer: ops.scratch('u32', shared.list.buffer.length, 'kept keys') };
    ops.topKOfGroups({
      ...{ score: margin, rowsPerGroup: sets, count: sets * count, floorCount: floor },
      ...{ indexBase: 0, out: list },
    });
    ops.release(shared.list.buffer);
    scratch.release();
    return { ...shared, list };
  },
};

const over = (base: Scorer) => {
  const scorer = criticalScorer(ID, base, {
    least: (parameters, layer, _tokens, count) => floorCount(parameters, layer, count),
    of: (kept, parameters, layer, _tokens, count) =>
      Math.max(
        floorCount(parameters, layer, count),
        Math.floor(numberIn(parameters, 'firstStage', layer) * kept + ROUNDING),
      ),
    isLaterFirst: true,
  });
  return compose({
    scorer: {
      ...scorer,
      memory: (parameters, place) => [
        ...scorer.memory!(parameters, place),
        { label: 'places and budgets of keys', elements: place.keyValueHeads * place.tokens, count: 14 },
      ],
    },
    ...{ budget: inTwoStages, unit: token, schedule: once, positions: inText },
  });
};

const bases = { snapkv: over(observationWindowAsKvpress), lagkv: over(lagRanks as Scorer) };

export const criticalAdakv: Method = {
  id: ID,
  title: 'CriticalAdaKV',
  summary:
    'Shares a layer’s budget out among its heads as AdaKV does; part of each share goes by score times what the value weighs in the output.',
  does: 'allocate',
  citation: {
    authors: 'Feng, Lv, Guo, Cao, Xie, Zhou',
    year: 2025,
    url: 'https://arxiv.org/abs/2502.03805',
  },
  presets: {
    kvpress: {
      parameters: {
        floorFraction: 0.2,
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
    base: snapkvOrLagkv('Whose scores are compared and weighed.'),
    keepFraction,
    floorFraction: adakv.parameters.floorFraction!,
    ...criticalParameters,
    ...snapkvAndLagkvParameters,
  },
  notes: () => [
    'Scores that are shown are those of the second stage; keys of the first stage stay whatever these are.',
  ],
  validate: (parameters, context) => checkBase(ID, parameters, context),
  ...composeBy((parameters) => bases[baseOf(parameters)]),
};
