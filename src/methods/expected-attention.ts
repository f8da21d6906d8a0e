/**
 * Expected attention (arXiv 2510.00636) as in kvpress (expected_attention_press.py): evicts once, by the attention that queries to
 * come would give each key if they were Gaussian with the mean and covariance of those that were read.
 */
import { headMajorRows, type Rows, sliceHeads, sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, type Scorer, token } from './compose';
import { keepFraction } from './defaults';
import type { Method, MethodContext } from './method';
import { isOn, numberIn, type Parameters } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { afterSinks, futureParameters, futureQueries, queriesRead } from './scorers/future-queries';
import { asColumn, centred, meanRow, norms, PROTECTED, rowProducts, transposed } from './scorers/rows';
import { denseScores } from './units';

/** The logarithm of what a Gaussian query gives key t on average, K·μ̄·s + Kᵀ Σ̄ K·s²/2, [H, n] of key [G, n, d]. */
function logExpected(
  scratch: Scratch,
  { scores: { scale } }: Pick<MethodContext, 'scores'>,
  query: Rows,
  key: Rows,
  hasCovariance: boolean,
) {
  const { ops } = scratch;
  const { heads: H, rows: n, channels: d } = query;
  const [G, perGroup] = [key.heads, H / key.heads];
  const mean = meanRow(scratch, query, 'mean query');
  // What every key is multiplied with: the mean query, and half the covariance times the key itself.
  const partner = scratch.rows(H, n, d, 'mean query and covariance');
  ops.copyRows({ input: { ...mean, rows: n, rowStride: 0 }, out: partner });
  if (hasCovariance) {
    const deviations = centred(scratch, query, mean, Math.sqrt(scale / (2 * n)), 'deviations of queries');
    const columns = transposed(scratch, deviations, 'deviations by channel');
    const covariance = scratch.rows(H, d, d, 'covariance of queries');
    ops.matmul({ input: columns, weight: columns, out: covariance });
    for (let g = 0; g < G; g++) {
      ops.matmul({
        input: { ...sliceHeads(key, g, 1), heads: perGroup, headStride: 0 },
        weight: sliceHeads(covariance, g * perGroup, perGroup),
        out: sliceHeads(partner, g * perGroup, perGroup),
        accumulate: true,
      });
    }
  }
  const out = denseScores(scratch.floats(H * n, 'expected logits'), H, n);
  rowProducts(scratch, partner, key, out, scale);
  return out;
}

/** Mean over the heads of each KV head of softmax over keys, plus ε, [G, n] of logits [H, n]. */
function meanSoftmax(scratch: Scratch, logits: ReturnType<typeof logExpected>, G: number, epsilon: number) {
  const { ops } = scratch;
  const { rows: H, length: n } = logits;
  const key = asColumn(logits);
  const query = headMajorRows(scratch.upload(new Float32Array(H).fill(1), 'one'), H, 1, 1);
  const logSumExp = scratch.scalars(H, 1, 'log-sum-exp of expected logits');
  const visible = { range: { start: 0, end: n, causal: false } };
  const out = scratch.rows(H, 1, 1, 'unread');
  ops.attention({ query, key, value: key, scale: 1, visible, out, logSumExp });
  const shares = denseScores(scratch.floats(H * n, 'expected attention'), H, n);
  ops.accumulatedAttention({ query, key, scale: 1, visible, logSumExp, out: shares });
  const means = denseScores(
    scratch.upload(new Float32Array(G * n).fill(epsilon), 'mean expected attention'),
    G,
    n,
  );
  ops.sumHeads({ input: asColumn(shares), out: asColumn(means), factor: G / H, accumulate: true });
  return means;
}

const settings = (parameters: Parameters, layer: number) => ({
  futurePositions: numberIn(parameters, 'futurePositions', layer),
  sinkTokens: numberIn(parameters, 'sinkTokens', layer),
  hasCovariance: isOn(parameters, 'useCovariance'),
  hasValueNorm: isOn(parameters, 'useValueNorm'),
  epsilon: numberIn(parameters, 'epsilon', layer),
});

const expected: Scorer = {
  name: (parameters, layer) => `expected/${Object.values(settings(parameters, layer)).join('/')}`,
  sets: 'kvHead',
  wants: () => queriesRead,
  score(context, parameters, input, tokens) {
    const { ops, keyValueHeads: G } = context;
    const { layer } = input;
    const { futurePositions, sinkTokens, hasCovariance, hasValueNorm, epsilon } = settings(parameters, layer);
    const buffer = ops.upload(new Float32Array(G * tokens).fill(PROTECTED), 'scores by expected attention');
    const score = denseScores(buffer, G, tokens);
    const scored = tokens - sinkTokens;
    if (scored > 0) {
      const scratch = new Scratch(ops);
      const [key, value] = [input.key, input.value].map((rows) => sliceRows(rows, sinkTokens, scored));
      const query = futureQueries(scratch, context, input, sinkTokens, tokens, futurePositions);
      const logits = logExpected(scratch, context, query, key!, hasCovariance);
      const means = meanSoftmax(scratch, logits, G, hasValueNorm ? epsilon : 0);
      const out = { ...score, offset: sinkTokens, length: scored };
      if (hasValueNorm) {
        const lengths = denseScores(scratch.floats(G * scored, 'norms of values'), G, scored);
        norms(scratch, value!, lengths);
        rowProducts(scratch, asColumn(means), asColumn(lengths), out);
      } else ops.copyRows({ input: asColumn(means), out: asColumn(out) });
      scratch.release();
    }
    return inBuffers(ops, [buffer], { score });
  },
  candidates: afterSinks,
  operations(parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, tokens, layer) {
    const n = Math.max(0, tokens - numberIn(parameters, 'sinkTokens', layer));
    // Rotation and mean of queries; their covariance and its product with each key; products, softmax, mean, norms.
    const ofCovariance = isOn(parameters, 'useCovariance') ? 4 * d * d + 2 * d : 0;
    return n * (H * (7 * d + 6 + ofCovariance) + G * (2 * d + 2));
  },
  memory: (_parameters, { queryHeads: H, keyValueHeads: G, headDimension: d, tokens, layers }) => [
    // All that were read.
    { label: 'earlier queries', elements: tokens * H * d, count: layers },
    { label: 'expected queries', elements: tokens * H * d, count: 6 },
    { label: 'covariance of queries', elements: H * d * d, count: 1 },
    { label: 'expected logits', elements: tokens * H, count: 2 },
    { label: 'norms of values', elements: tokens * G * (d + 2), count: 2 },
  ],
};

const yesOrNo = (label: string, help: string, yes: string, no: string) => ({
  ...{ kind: 'choice' as const, label, help },
  options: [
    { value: true, label: 'yes', help: yes },
    { value: false, label: 'no', help: no },
  ],
  default: () => true,
});

export const expectedAttention: Method = {
  id: 'expected-attention',
  title: 'Expected attention',
  summary:
    'Keeps the keys that queries to come would attend to, were they like those that were read, times the length of their values.',
  citation: {
    authors: 'Devoto, Jeblick, Jégou',
    year: 2025,
    url: 'https://arxiv.org/abs/2510.00636',
  },
  presets: {
    kvpress: {
      parameters: {
        futurePositions: 512,
        sinkTokens: 4,
        useCovariance: true,
        useValueNorm: true,
        epsilon: 0,
      },
      evictAfter: 'context',
    },
  },
  parameters: {
    keepFraction,
    ...futureParameters,
    useCovariance: yesOrNo(
      'Covariance',
      'Whether the spread of queries counts, or their mean alone.',
      'Mean and covariance of the queries.',
      'Every query stands where the mean does.',
    ),
    useValueNorm: yesOrNo(
      'Times value norm',
      'Whether the expected attention is multiplied by the norm of the value.',
      'What a key would add to the output.',
      'Its attention alone.',
    ),
    epsilon: {
      kind: 'fraction',
      idleWhere: { useValueNorm: [false] },
      label: 'Floor',
      symbol: 'ε',
      help: 'Added to the expected attention before the norm of the value; 0 in kvpress by default.',
      unit: '',
      minimum: 0,
      maximum: 1,
      default: () => 0,
    },
  },
  notes: () => [
    'Queries are taken for Gaussian, before rotation, and rotated by the mean rotation of the next positions. kvpress refuses models that normalise queries and keys; here their queries are taken as they are after that norm.',
  ],
  ...compose({
    ...{ scorer: expected, budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
