/**
 * SparQ (arXiv 2312.04985): every query compares itself with the keys on its largest channels, sees those that promise most, and has the
 * mean value for what it leaves out. Nothing is evicted (graphcore-research/llm-inference-research, llminference/methods/ann_attention.py:
 * SparseQ, AnnAttention).
 */

import { headMajorRows, tokenMajorRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { queriesHeld } from '../blocks';
import { uniformOf } from '../budgets/uniform';
import { compose, type Scorer, token } from '../compose';
import type { Method } from '../method';
import { isOn, numberIn, type Parameters } from '../parameters';
import { inBuffers, infinities } from '../remember';
import { everyQuery } from '../schedules/every-query';
import { denseScores } from '../units';
import { meanOfOthers } from './mean-value';
import { channelsIn, sparqParameters } from './schema';

/** Last keys that are seen whatever they score, the query's own among them: at most all that are seen. */
const forcedIn = (parameters: Parameters, layer: number): number =>
  1 + Math.min(numberIn(parameters, 'localTokens', layer), numberIn(parameters, 'selectedTokens', layer));

/** Approximate logits, summed over the query heads of a KV head. */
const largestChannels: Scorer = {
  name: (parameters, layer) =>
    `sparq/${numberIn(parameters, 'rankChannels', layer)}/${forcedIn(parameters, layer)}`,
  sets: 'kvHead',
  score(context, parameters, { layer, query, key }, tokens) {
    const { ops, scores } = context;
    const scratch = new Scratch(ops);
    const { rows: queries, channels } = query;
    const sparse = scratch.rows(query.heads, queries, channels, 'queries on their largest channels');
    ops.sparseQueries({
      query,
      groups: key.heads,
      count: channelsIn(parameters, layer, channels),
      out: sparse,
    });
    const summed = scratch.rows(key.heads, queries, channels, 'queries by KV head');
    ops.sumHeads({ input: sparse, out: summed, factor: scores.scale });
    const buffer = ops.scratch('f32', key.heads * queries * tokens, 'approximate logits');
    const score = denseScores(buffer, key.heads * queries, tokens);
    const firstTokens = tokens - queries + 1;
    // A key is a page of its own: its bound is its product.
    ops.boundScores({
      ...{ query: summed, minimum: key, maximum: key, out: score },
      byQuery: { key, pageLength: 1, firstTokens },
    });
    const forced = Math.min(firstTokens, forcedIn(parameters, layer));
    const infinite = infinities(context, forced);
    // The last keys of each query: one further with every query.
    const last = tokenMajorRows(buffer, key.heads, queries, tokens, firstTokens - forced);
    ops.copyRows({
      input: {
        ...headMajorRows(infinite.value.buffer, key.heads, queries, forced),
        headStride: 0,
        rowStride: 0,
      },
      out: { ...last, channels: forced, rowStride: last.rowStride + 1 },
    });
    scratch.release();
    ops.release(...infinite.owned);
    return inBuffers(ops, [buffer], { score });
  },
  candidates: (parameters, layer, tokens) => ({
    start: 0,
    end: Math.max(0, tokens - forcedIn(parameters, layer)),
  }),
  /**
   * Sizes of channels, their sums, both norms and the factor; sums over groups; products on r channels, by KV head to choose and by query
   * head for the share that is kept, with its exponentials; the mean brought up to date and mixed in.
   */
  operations(parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, tokens, layer) {
    const channels = channelsIn(parameters, layer, d);
    const choosing = 5 * H * d + (H - G) * d + 2 * channels * G * tokens;
    return isOn(parameters, 'meanValue')
      ? choosing + H * (2 * channels + 3) * tokens + 2 * G * d + 3 * H * d
      : choosing;
  },
  // The keys' r channels, and the mean of the values so far.
  reads(parameters, { keyValueHeads, headDimension }, tokens, layer) {
    const mean = isOn(parameters, 'meanValue') ? headDimension : 0;
    return keyValueHeads * (channelsIn(parameters, layer, headDimension) * tokens + mean);
  },
  memory: (_parameters, place) => {
    const elements = place.queryHeads * queriesHeld(place.keyValueHeads, place) * place.headDimension;
    return [{ label: 'queries on their largest channels', elements, count: 2 }];
  },
};

/** k keys and the query's own. */
const budget = uniformOf(
  (parameters, layer, tokens) => Math.min(tokens, 1 + numberIn(parameters, 'selectedTokens', layer)),
  (parameters, { tokens }, keepFraction) => ({
    parameters: { ...parameters, selectedTokens: Math.floor(keepFraction * tokens) },
  }),
);

export const sparq: Method = {
  id: 'sparq',
  title: 'SparQ',
  summary:
    'Every query sees the keys with the largest products on its largest channels, and the mean value for the rest.',
  citation: {
    authors: 'Ribar, Chelombiev, Hudlass-Galley, Blake, Luschi, Orr',
    year: 2023,
    url: 'https://arxiv.org/abs/2312.04985',
  },
  presets: { paper: { from: 'code' } },
  parameters: sparqParameters,
  notes: () => [
    'What stands before the queries is read with full attention; each query then chooses alone. The mean value is in the outputs as run; recall counts the keys that are seen.',
  ],
  ...compose({ scorer: largestChannels, budget, unit: token, schedule: everyQuery, positions: meanOfOthers }),
};
