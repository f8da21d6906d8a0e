/**
 * SnapKV's score (arXiv 2404.14469) as kvpress has it (snapkv_press.py, SnapKVPress.score): the attention that the last
 * `windowTokens` queries before the eviction give each earlier token, mean over them, pooled along the text with width `poolKernel`
 * (zeros beyond its ends), mean over the query heads of a KV head. The window itself ranks above all. The official code's is the sum in
 * place of both means. TOVA's is the same with a window of one query, no pooling, and the mean over all heads of a layer.
 */
import type { Ops, RowScalars, ScoreRows } from '../../../gpu/ops';
import { headMajorRows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import type { Scorer } from '../compose';
import { scaledDefault } from '../defaults';
import { choiceOf, isOn, numberIn, type ParameterSchemas, type Parameters } from '../parameters';
import { inBuffers } from '../remember';
import { denseScores } from '../units';

/** Above every mean of probabilities. */
const PROTECTED = 2;

export const windowParameters: ParameterSchemas = {
  windowTokens: {
    kind: 'count',
    label: 'Window',
    symbol: 'w',
    help: 'Last tokens before the eviction: their queries score the others, and they stay. kvpress calls it window_size, 64 by default.',
    unit: 'tokens',
    minimum: 1,
    maximum: (context) => Math.max(context.tokens, 4096),
    ...scaledDefault(64, 8, 64),
    paper: 32,
  },
  poolKernel: {
    kind: 'count',
    label: 'Pooling',
    symbol: 'κ',
    help: 'Width of the mean along the text, an odd number; 1 pools nothing. kvpress calls it kernel_size.',
    unit: 'tokens',
    minimum: 1,
    maximum: () => 255,
    isOdd: true,
    default: () => 5,
    paper: 7,
  },
};

/** Throws UserError for a width without a middle. */
export function checkWindow(id: string, { poolKernel }: Parameters): void {
  const widths = Array.isArray(poolKernel) ? poolKernel : [poolKernel];
  for (const width of widths) {
    if (width % 2 === 1) continue;
    throw new UserError(`${id}: poolKernel must be odd, not ${width}; choose ${width - 1} or ${width + 1}.`);
  }
}

const windowOf = (parameters: Parameters, layer: number): number =>
  numberIn(parameters, 'windowTokens', layer);

/** The largest window of all layers: so many queries have to be at hand. */
export const largestWindow = ({ windowTokens }: Parameters): number => largestOf(windowTokens);

/** Of a number or one per layer the largest. */
const largestOf = (value: Parameters[string] | undefined): number =>
  Math.max(...([value].flat() as number[]));

/** What a scorer by the last queries takes from its parameters. */
interface WindowRule {
  /** Whose query heads one mean is over. */
  readonly sets: Scorer['sets'];
  /** Queries, in a layer. */
  window(parameters: Parameters, layer: number): number;
  /** Queries, in the layer with most. */
  largestWindow(parameters: Parameters): number;
  /** What the last tokens' own score is: one above all others, or, as kvpress has it, 1 more than the largest of any head. */
  readonly ownScore: 'above' | 'byLargest';
  /** Width of the mean along the text; 1 pools nothing. */
  poolKernel(parameters: Parameters, layer: number): number;
  /** What is taken along the text. Absent: the mean. */
  pooling?(parameters: Parameters): 'mean' | 'max';
  /** Whether queries are added up in place of their mean. */
  readonly isSum?: true;
  /** Whether a query counts as often as it has earlier keys. Absent: all count alike. */
  countsKeys?(parameters: Parameters): boolean;
}

const setsIn = ({ sets }: Pick<WindowRule, 'sets'>, queryHeads: number, keyValueHeads: number): number =>
  ({ layer: 1, kvHead: keyValueHeads, queryHead: queryHeads })[sets];

/** The mean attention of the last queries before the eviction, which themselves rank above all. */
const byLastQueries = (rule: WindowRule): Scorer => ({
  name: (parameters, layer) =>
    `window/${rule.sets}/${rule.ownScore}/${rule.window(parameters, layer)}/${rule.poolKernel(parameters, layer)}/${rule.pooling?.(parameters) ?? 'mean'}/${rule.countsKeys?.(parameters) ?? false}`,
  sets: rule.sets,
  wants: (parameters) => ({ queriesBefore: rule.largestWindow(parameters) }),
  score({ ops, scores }, parameters, input, tokens) {
    const { layer, key, value } = input;
    const earlierQueries = input.queriesBefore(tokens);
    if (!earlierQueries) throw new Error('the observation window needs the queries before the eviction');
    const window = Math.min(rule.window(parameters, layer), tokens);
    const query = sliceRows(earlierQueries, earlierQueries.rows - window, window);
    const scored = tokens - window;
    const sets = setsIn(rule, query.heads, key.heads);
    const groups = Math.max(sets, key.heads);
    const countsKeys = rule.countsKeys?.(parameters) ?? false;
    const largest = (countsKeys ? tokens : 1) * (rule.isSum ? window : 1);
    const buffer = ops.upload(
      new Float32Array(sets * tokens).fill(rule.ownScore === 'above' ? PROTECTED * largest : 1),
      'scores of the window',
    );
    const score = denseScores(buffer, sets, tokens);
    if (scored > 0) {
      const scratch = new Scratch(ops);
      const logSumExp = scratch.scalars(query.heads, window, 'log-sum-exp of the window');
      ops.attention({
        ...{
          query,
          value: sliceRows(value, 0, tokens),
          key: sliceRows(key, 0, tokens),
          ...scores,
          logSumExp,
        },
        visible: { range: { start: 0, end: tokens, causal: true } },
        out: scratch.rows(query.heads, window, value.channels, 'output of the window'),
      });
      if (countsKeys) countEarlierKeys(scratch, query.heads, window, scored, logSumExp);
      const sums = scratch.floats(groups * scored, 'attention received from the window');
      const means = scratch.floats(sets * scored, 'mean attention received from the window');
      ops.accumulatedAttention({
        ...{ query, key: sliceRows(key, 0, scored), ...scores, logSumExp },
        visible: { range: { start: 0, end: scored, causal: false } },
        out: denseScores(sums, groups, scored),
      });
      ops.sumHeads({
        input: headMajorRows(sums, groups, 1, scored),
        out: headMajorRows(means, sets, 1, scored),
        factor: sets / ((rule.isSum ? 1 : window) * query.heads),
      });
      ops.pool({
        kind: rule.pooling?.(parameters) ?? 'mean',
        input: denseScores(means, sets, scored),
        width: rule.poolKernel(parameters, layer),
        out: { ...score, length: scored },
      });
      if (rule.ownScore === 'byLargest') addLargest(ops, scratch, score, scored);
      scratch.release();
    }
    return inBuffers(ops, [buffer], { score });
  },
  candidates(parameters, layer, tokens, count) {
    const window = Math.min(rule.window(parameters, layer), tokens);
    // A budget that the window alone exceeds drops some of that, too.
    return { start: 0, end: count >= window ? tokens - window : tokens };
  },
  operations(parameters, { queryHeads: H, keyValueHeads: G, headDimension: d }, tokens, layer) {
    const window = Math.min(rule.window(parameters, layer), tokens);
    const sets = setsIn(rule, H, G);
    // Attention of the window for its log-sum-exp, then its weights again, summed; the mean and its pooling.
    return (
      window * H * ((4 * d + 3) * tokens + (2 * d + 3) * (tokens - window)) +
      (tokens - window) * (Math.max(sets, G) + sets * rule.poolKernel(parameters, layer))
    );
  },
  memory(parameters, { queryHeads: H, keyValueHeads: G, headDimension: d, tokens, layers }) {
    const window = Math.min(rule.largestWindow(parameters), tokens);
    return [
      // Those kept while reading, and their spare.
      { label: 'earlier queries', elements: window * H * d, count: 3 * layers },
      { label: 'output of the window', elements: window * H * (d + 1), count: 1 },
      {
        label: 'attention received from the window',
        elements: Math.max(G, setsIn(rule, H, G)) * tokens,
        count: 2,
      },
    ];
  },
});

/** Probabilities times the number of keys before the query, `scored` of them before the first: their log-sum-exp less its logarithm. */
function countEarlierKeys(
  scratch: Scratch,
  heads: number,
  window: number,
  scored: number,
  logSumExp: RowScalars,
): void {
  const { buffer, offset, headStride } = logSumExp;
  const counts = Float32Array.from({ length: window }, (_, i) => Math.log(scored + i));
  scratch.ops.sumHeads({
    input: {
      ...headMajorRows(scratch.upload(counts, 'keys before a query'), heads, 1, window),
      headStride: 0,
    },
    out: { ...headMajorRows(buffer, heads, 1, window, offset), headStride },
    factor: -1,
    accumulate: true,
  });
}

/** Adds to entries from `scored` on the largest of those before, of all rows. */
function addLargest(ops: Ops, scratch: Scratch, score: ScoreRows, scored: number): void {
  const { rows, length } = score;
  const ofRows = denseScores(scratch.floats(rows, 'largest by head'), rows, 1);
  const ofAll = denseScores(scratch.floats(1, 'largest'), 1, 1);
  const before = { ...score, length: scored };
  ops.segmentReduce({ kind: 'max', input: before, segmentLength: scored, out: ofRows });
  const joined = { ...ofRows, rows: 1, length: rows, rowStride: rows };
  ops.segmentReduce({ kind: 'max', input: joined, segmentLength: rows, out: ofAll });
  const window = length - scored;
  const largest = scratch.floats(rows * window, 'largest, for each token of the window');
  ops.expandSegments({
    ...{ input: { ...ofAll, rows, rowStride: 0 }, segmentLength: window },
    out: denseScores(largest, rows, window),
  });
  ops.sumHeads({
    input: headMajorRows(largest, rows, 1, window),
    out: {
      ...headMajorRows(score.buffer, rows, 1, window, score.offset + scored),
      headStride: score.rowStride,
    },
    accumulate: true,
  });
}

const byWindow = (ownScore: WindowRule['ownScore']): Scorer => ({
  ...byLastQueries({
    ...{ sets: 'kvHead', ownScore, window: windowOf, largestWindow },
    poolKernel: (parameters, layer) => numberIn(parameters, 'poolKernel', layer),
  }),
  window: windowOf,
});

export const observationWindow = byWindow('above');

/** For wrappers that compute with the scores, the window's own among them. */
export const observationWindowAsKvpress = byWindow('byLargest');

/** The official code's (SnapKVCluster.update_kv): by query head, the sum over the window. */
export const observationWindowOfficial: Scorer = {
  ...byLastQueries({
    ...{ sets: 'queryHead', ownScore: 'above', window: windowOf, largestWindow, isSum: true },
    poolKernel: (parameters, layer) => numberIn(parameters, 'poolKernel', layer),
    pooling: (parameters) => (choiceOf(parameters, 'pooling') === 'max' ? 'max' : 'mean'),
  }),
  window: windowOf,
};

export const lastQuery = byLastQueries({
  sets: 'layer',
  ownScore: 'above',
  window: () => 1,
  largestWindow: () => 1,
  poolKernel: () => 1,
});

/** The mean of the last `lastTokens` queries and of all heads, unpooled: one query is TOVA's. */
export const lastQueries = byLastQueries({
  sets: 'layer',
  ownScore: 'above',
  window: (parameters, layer) => numberIn(parameters, 'lastTokens', layer),
  largestWindow: ({ lastTokens }) => largestOf(lastTokens),
  poolKernel: () => 1,
});

/** FINCH's: unpooled, and normalised where `normalize` says so. */
export const questionWindow: Scorer = {
  ...byLastQueries({
    ...{ sets: 'kvHead', ownScore: 'above', window: windowOf, largestWindow },
    poolKernel: () => 1,
    countsKeys: (parameters) => isOn(parameters, 'normalize'),
  }),
  window: windowOf,
};
