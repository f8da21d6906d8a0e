/**
 * CAPKV (arXiv 2604.25975) as in kvpress (cap_press.py): evicts once, by how far each value stands out of the others, values that the
 * queries to come point at counting for more.
 */
import { sliceRows } from '../../gpu/rows';
import { Scratch } from '../../gpu/scratch';
import { uniformAtLeastOne } from './budgets/uniform';
import { compose, type Scorer, token } from './compose';
import { keepFraction } from './defaults';
import type { Method } from './method';
import { numberIn } from './parameters';
import { inText } from './positions';
import { inBuffers } from './remember';
import { once } from './schedules/once';
import { afterSinks, futureParameters, futureQueries, queriesRead } from './scorers/future-queries';
import { asColumn, meanRow, PROTECTED, rowProducts, withLength } from './scorers/rows';
import { denseScores } from './units';

/** Added to every weight inside the matrix, as in kvpress. */
const LEAST_WEIGHT = 1e-6;

const byCapacity: Scorer = {
  name: (parameters, layer) =>
    ['capkv', 'temperature', 'futurePositions', 'sinkTokens']
      .map((part, i) => (i === 0 ? part : numberIn(parameters, part, layer)))
      .join('/'),
  sets: 'kvHead',
  wants: () => queriesRead,
  score(context, parameters, input, tokens) {
    const { ops, queryHeads: H, keyValueHeads: G } = context;
    const [temperature, futurePositions, sinks] = ['temperature', 'futurePositions', 'sinkTokens'].map(
      (name) => numberIn(parameters, name, input.layer),
    ) as [number, number, number];
    const buffer = ops.upload(new Float32Array(G * tokens).fill(PROTECTED), 'scores by capacity');
    const score = denseScores(buffer, G, tokens);
    const n = tokens - sinks;
    if (n > 0) {
      const scratch = new Scratch(ops);
      const queries = futureQueries(scratch, context, input, sinks, tokens, futurePositions);
      const anchor = withLength(scratch, meanRow(scratch, queries, 'mean query'), temperature, 'anchor');
      const key = withLength(scratch, sliceRows(input.key, sinks, n), 1, 'directions of keys');
      const of = (rows: number, label: string) => denseScores(scratch.floats(rows * n, label), rows, n);
      // Weights e^(τ·cos) relative to each head's largest, which stands where a log-sum-exp would.
      const cosines = of(H, 'alignment of keys');
      const largest = scratch.scalars(H, 1, 'largest alignment');
      ops.matmul({ input: anchor, weight: key, out: { ...anchor, ...asRow(cosines) } });
      ops.segmentReduce({
        ...{ kind: 'max', input: cosines, segmentLength: n },
        out: denseScores(largest.buffer, H, 1),
      });
      const weights = of(H, 'weights of keys');
      ops.accumulatedAttention({
        ...{ query: anchor, key, scale: 1, logSumExp: largest, out: weights },
        visible: { range: { start: 0, end: n, causal: false } },
      });
      const inMatrix = denseScores(
        scratch.upload(new Float32Array(H * n).fill(LEAST_WEIGHT), 'weights'),
        H,
        n,
      );
      ops.sumHeads({ input: asColumn(weights), out: asColumn(inMatrix), accumulate: true });
      const leverage = of(H, 'leverage of values');
      ops.leverage({
        ...{ input: sliceRows(input.value, sinks, n), weight: inMatrix, ridge: 1 },
        out: leverage,
      });
      const products = of(H, 'weighted leverage');
      rowProducts(scratch, asColumn(weights), asColumn(leverage), products);
      const out = asColumn({ ...score, offset: sinks, length: n });
      ops.sumHeads({ input: asColumn(products), out, factor: G / H });
      scratch.release();
    }
    return inBuffers(ops, [buffer], { score });
  },
  candidates: afterSinks,
  operations(parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, tokens, layer) {
    const n = Math.max(0, tokens - numberIn(parameters, 'sinkTokens', layer));
    // Rotation and mean of queries, products twice, the matrix and its solution for every value; directions of keys.
    return n * (H * (8 * d + 2 * d * d + 5) + G * 3 * d) + (H * d ** 3) / 3;
  },
  memory: (_parameters, { queryHeads: H, keyValueHeads: G, headDimension: d, tokens, layers }) => [
    // All that were read.
    { label: 'earlier queries', elements: tokens * H * d, count: layers },
    { label: 'queries to come', elements: tokens * H * d, count: 1 },
    { label: 'directions of keys', elements: tokens * G * d, count: 1 },
    { label: 'weights and leverage', elements: tokens * H, count: 6 },
    { label: 'factors', elements: H * d * d, count: 2 },
  ],
};

/** All numbers of a row as one row of channels. */
const asRow = ({ buffer, length, rowStride }: ReturnType<typeof denseScores>) => ({
  ...{ buffer, offset: 0, channels: length, headStride: rowStride, rowStride },
});

export const capkv: Method = {
  id: 'capkv',
  title: 'CAPKV',
  summary:
    'Keeps the values that stand out of the others, those weighted up whose keys the expected query points at.',
  citation: {
    authors: '“Rethinking KV Cache Eviction via a Unified Information-Theoretic Objective”',
    year: 2026,
    url: 'https://arxiv.org/abs/2604.25975',
  },
  presets: {
    kvpress: { parameters: { temperature: 5, futurePositions: 512, sinkTokens: 4 }, evictAfter: 'context' },
  },
  parameters: {
    keepFraction,
    temperature: {
      kind: 'fraction',
      label: 'Temperature',
      symbol: 'τ',
      help: 'How sharply keys count by their angle to the expected query; at 0 all values count alike. kvpress calls it tau.',
      unit: '',
      minimum: 0,
      maximum: 100,
      default: () => 5,
    },
    ...futureParameters,
    futurePositions: { ...futureParameters.futurePositions!, idleWhere: { temperature: [0] } },
  },
  notes: () => [
    'kvpress’s variant: angles between keys and the expected query where the paper has products, turned by the mean rotation of the next positions; values stand for what a token does to the output.',
  ],
  ...compose({
    ...{ scorer: byCapacity, budget: uniformAtLeastOne, unit: token, schedule: once },
    positions: inText,
  }),
};
