/**
 * Loki (arXiv 2406.02542): every query head sees the keys with the largest products on the keys' first principal components. Nothing is
 * evicted (hpcgroup/loki, methods/pca_topk/utils.py: get_pca_components, mask_attn_pca_topk).
 */
import { Scratch } from '../../../gpu/scratch';
import { queriesHeld } from '../blocks';
import { uniformOf } from '../budgets/uniform';
import { compose, type Scorer, token } from '../compose';
import type { Method } from '../method';
import { choiceOf, isOn, numberIn, type Parameters } from '../parameters';
import { inText } from '../positions';
import { inBuffers, ownMemo } from '../remember';
import { everyQuery } from '../schedules/every-query';
import { denseScores } from '../units';
import { type Projectors, prepareProjectors } from './projectors';
import { lokiParameters } from './schema';

/** Products on the components that a run has prepared. */
const onComponents = (projectors: () => Projectors): Scorer => ({
  name: (parameters, layer) =>
    [
      'loki',
      choiceOf(parameters, 'keys'),
      isOn(parameters, 'centred'),
      numberIn(parameters, 'components', layer),
    ].join('/'),
  sets: 'queryHead',
  wants: (parameters) => ({ recorded: true, unrotated: choiceOf(parameters, 'keys') === 'unrotated' }),
  score({ ops, scores }, _parameters, { layer, query, key }, tokens) {
    const scratch = new Scratch(ops);
    // (q P)·(k P) is (q P Pᵀ)·k: keys stay as they are.
    const scaled = scratch.rows(query.heads, query.rows, query.channels, 'scaled queries');
    ops.sumHeads({ input: query, out: scaled, factor: scores.scale });
    const projected = scratch.rows(query.heads, query.rows, query.channels, 'projected queries');
    ops.matmul({ input: scaled, weight: projectors().of(layer), out: projected });
    const { heads, rows: queries } = query;
    const buffer = ops.scratch('f32', heads * queries * tokens, 'products on components');
    const score = denseScores(buffer, heads * queries, tokens);
    // A key is a page of its own: its bound is its product.
    ops.boundScores({
      ...{ query: projected, minimum: key, maximum: key, out: score },
      byQuery: { key, pageLength: 1, firstTokens: tokens - queries + 1 },
    });
    scratch.release();
    return inBuffers(ops, [buffer], { score });
  },
  // As published: the query and its own key are turned, then every key is compared on d_r components.
  operations: (parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, tokens, layer) =>
    2 * (H + G) * d * d + 2 * numberIn(parameters, 'components', layer) * H * tokens,
  reads: (parameters, { keyValueHeads }, tokens, layer) =>
    numberIn(parameters, 'components', layer) * keyValueHeads * tokens,
  memory: (_parameters, place) => {
    const { layers, queryHeads, keyValueHeads, headDimension: d } = place;
    const queries = queriesHeld(queryHeads, place);
    return [
      { label: 'projectors', elements: keyValueHeads * d * d, count: layers },
      { label: 'projected queries', elements: queryHeads * queries * d, count: 2 },
    ];
  },
});

const budget = uniformOf(
  (parameters, layer, tokens) => Math.min(tokens, numberIn(parameters, 'selectedTokens', layer)),
  (parameters, { tokens }, keepFraction) => {
    const selectedTokens = Math.floor(keepFraction * tokens);
    return selectedTokens < 1 ? { floor: 1 / tokens } : { parameters: { ...parameters, selectedTokens } };
  },
);

const composed = (projectors: () => Projectors) =>
  compose({ scorer: onComponents(projectors), budget, unit: token, schedule: everyQuery, positions: inText });

export const loki: Method = {
  id: 'loki',
  title: 'Loki',
  summary:
    'Every query head sees the keys with the largest products on the keys’ first principal components.',
  citation: {
    authors: 'Singhania, Singh, He, Feizi, Bhatele',
    year: 2024,
    url: 'https://arxiv.org/abs/2406.02542',
  },
  presets: { paper: { from: 'code' } },
  parameters: lokiParameters,
  notes: () => [
    'The components are those of this text’s keys, all of them; the paper takes other texts, so that a user’s is new to them.',
    'What stands before the queries is read with full attention; each query then chooses alone, and may leave out its own token.',
  ],
  ...composed(notPrepared),
  start(context, parameters: Parameters) {
    const own = ownMemo();
    let prepared: Projectors | null = null;
    const run = composed(() => prepared ?? notPrepared()).start(context, parameters);
    return {
      ...run,
      async prepare(recorded, signal) {
        prepared = await prepareProjectors(context, parameters, context.memo ?? own, recorded, signal);
      },
      dispose() {
        run.dispose();
        own.release();
      },
    };
  },
};

function notPrepared(): never {
  throw new Error('prepare() was not awaited before the first selection');
}
