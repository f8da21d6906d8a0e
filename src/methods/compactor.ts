/**
 * Compactor (arXiv 2507.08143) as in kvpress (compactor_press.py): evicts once, by leverage of keys and the attention that they get in
 * their chunk together; no query to come is guessed at.
 */
import { type Rows, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { uniformAtLeastOne } from './budgets/uniform';
import { type Budget, compose, type Scorer, token } from './compose';
import { keepFraction, mostTokens } from './defaults';
import type { Method } from './method';
import { numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import {
  chunkAttention,
  chunkMemory,
  chunkOperations,
  chunkTokensParameter,
} from './scorers/chunk-attention';
import { asColumn, PROTECTED } from './scorers/rows';
import {
  leverageMemory,
  leverageOperations,
  sketchedLeverage,
  sketchName,
  sketchParameters,
  unrotatedKeys,
} from './scorers/sketched-leverage';
import { denseScores } from './units';

const ID = 'compactor';

/** As kvpress has both: what is added to the squared length along a direction, and tokens of the mean of attention. */
const RIDGE = 0.01;
const POOL_KERNEL = 3;

/** First and last tokens of so many that stay. */
function endsOf(parameters: Parameters, layer: number, tokens: number): { first: number; last: number } {
  const first = Math.min(numberIn(parameters, 'sinkTokens', layer), tokens);
  return { first, last: Math.min(numberIn(parameters, 'recentTokens', layer), tokens - first) };
}

const blended: Scorer = {
  name: (parameters, layer) =>
    [
      ID,
      sketchName(parameters, layer),
      ...['sinkTokens', 'recentTokens', 'chunkTokens', 'blending'].map((name) =>
        numberIn(parameters, name, layer),
      ),
    ].join('/'),
  sets: 'kvHead',
  wants: () => ({ unrotated: true, queriesBefore: Number.POSITIVE_INFINITY }),
  score(context, parameters, input, tokens) {
    const { ops, keyValueHeads: G } = context;
    const { layer } = input;
    const { first, last } = endsOf(parameters, layer, tokens);
    const n = tokens - first - last;
    const buffer = ops.upload(new Float32Array(G * tokens).fill(PROTECTED), 'blended scores');
    const score = denseScores(buffer, G, tokens);
    if (n > 0) {
      const scratch = new Scratch(ops);
      const middle = (rows: Rows): Rows => sliceRows(rows, first, n);
      const of = (label: string) => denseScores(scratch.floats(G * n, label), G, n);
      const [leverage, attention] = [of('leverage of keys'), of('attention received in chunks')];
      const key = middle(unrotatedKeys(ID, input));
      sketchedLeverage(scratch, ID, context, parameters, layer, key, RIDGE, leverage);
      chunkAttention(scratch, {
        ...{ query: middle(input.queriesBefore(tokens)!), key: middle(input.key) },
        ...{ value: middle(input.value), out: attention, poolKernel: POOL_KERNEL },
        chunkTokens: numberIn(parameters, 'chunkTokens', layer),
      });
      const out = asColumn({ ...score, offset: first, length: n });
      ops.sumHeads({ input: asColumn(attention), out });
      const factor = numberIn(parameters, 'blending', layer);
      ops.sumHeads({ input: asColumn(leverage), out, factor, accumulate: true });
      scratch.release();
    }
    return inBuffers(ops, [buffer], { score });
  },
  candidates(parameters, layer, tokens, count) {
    const { first, last } = endsOf(parameters, layer, tokens);
    // A budget that the ends alone exceed drops some of these, too.
    return count >= first + last ? { start: first, end: tokens - last } : { start: 0, end: tokens };
  },
  operations(parameters, context, tokens, layer) {
    const { first, last } = endsOf(parameters, layer, tokens);
    const n = tokens - first - last;
    return (
      leverageOperations(context, n, numberIn(parameters, 'sketchDim', layer)) +
      chunkOperations(context, n, numberIn(parameters, 'chunkTokens', layer)) +
      2 * context.keyValueHeads * n
    );
  },
  memory: (parameters, place) => [...leverageMemory(parameters, place), ...chunkMemory(place)],
};

/** 1 − f of a number or one per layer. */
function removed(fraction: Parameters[string] | undefined): number | readonly number[] {
  return Array.isArray(fraction) ? fraction.map((each: number) => 1 - each) : 1 - (fraction as number);
}

/** A weight that follows the fraction goes with it. */
const budget: Budget = {
  ...uniformAtLeastOne,
  withBudget(parameters, context, fraction, places) {
    const fitted = uniformAtLeastOne.withBudget(parameters, context, fraction, places);
    const { keepFraction: kept, blending } = parameters;
    if (!('parameters' in fitted) || String(blending) !== String(removed(kept))) return fitted;
    return { parameters: { ...fitted.parameters, blending: 1 - fraction } };
  },
};

export const compactor: Method = {
  id: ID,
  title: 'Compactor',
  summary:
    'Keeps the keys that stand out of the others and those that all queries of their chunk attend to, and both ends of the text.',
  citation: { authors: 'Chari, Van Durme', year: 2025, url: 'https://arxiv.org/abs/2507.08143' },
  presets: {
    kvpress: {
      parameters: { sinkTokens: 8, recentTokens: 4, chunkTokens: 256, sketchDim: 48 },
      evictAfter: 'context',
    },
  },
  parameters: {
    keepFraction,
    sinkTokens: {
      kind: 'count',
      label: 'Sink tokens',
      help: 'First tokens, which stay and are left out of the scores. kvpress calls it sink_size_start.',
      unit: 'tokens',
      minimum: 0,
      maximum: mostTokens,
      default: () => 8,
    },
    recentTokens: {
      kind: 'count',
      label: 'Recent tokens',
      help: 'Last tokens before the eviction, which stay and are left out of the scores. kvpress calls it sink_size_end.',
      unit: 'tokens',
      minimum: 0,
      maximum: mostTokens,
      default: () => 4,
    },
    chunkTokens: chunkTokensParameter,
    blending: {
      kind: 'fraction',
      label: 'Weight of leverage',
      help: 'Factor of the leverage scores, those of attention having 1. kvpress takes the fraction removed unless it is set.',
      unit: '',
      minimum: 0,
      maximum: 1,
      default: (_context, { keepFraction: kept }) => removed(kept),
      defaultRule: '1 − f',
    },
    ...sketchParameters,
  },
  notes: () => [
    'kvpress’s variant: leverage by Cholesky factors, its weight the fraction removed unless it is set; the directions are random, drawn from the seed. Attention in chunks is that of the non-causal method.',
  ],
  ...compose({
    ...{ scorer: blended, budget, unit: token, schedule: once, positions: inText },
  }),
};
