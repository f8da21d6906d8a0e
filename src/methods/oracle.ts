/**
 * The keys with the most attention, known only after full attention: no other set of as many keys, shared by a block's queries and
 * the heads of a group, gets more of their attention in all.
 */

import type { RowScalars, ScoreRows } from '../../gpu/ops';
import { type DeviceBuffer, headMajorRows, sliceRows, tokenMajorRows } from '../../gpu/rows';
import { queriesHeld } from './blocks';
import { uniformOfText } from './budgets/uniform';
import { compose, type Scorer, type Scores, token } from './compose';
import { keepFraction } from './defaults';
import type { LayerInput, Method, MethodContext } from './method';
import { inText } from './positions';
import { inBuffers } from './remember';
import { everyBlock, type ScoredEach } from './schedules/every-block';
import { denseScores } from './units';

/** Attention that the block gives each key before it, summed over its queries and the query heads of a KV head. */
const attentionReceived: Scorer & ScoredEach<Scores> = {
  name: () => 'oracle',
  sets: 'kvHead',
  wants: () => ({ logSumExp: true }),
  score({ ops, scores }, _parameters, input, tokens) {
    const { query, key } = input;
    const buffer = ops.scratch('f32', key.heads * tokens, 'attention received');
    const score = denseScores(buffer, key.heads, tokens);
    ops.accumulatedAttention({
      query,
      key: sliceRows(key, 0, tokens),
      ...scores,
      logSumExp: logSumExpOf(input),
      visible: { range: { start: 0, end: tokens, causal: false } },
      out: score,
    });
    return inBuffers(ops, [buffer], { score });
  },
  scoreEach: (context, _parameters, input) => attentionOfEach(context, input),
  // Full attention's logits twice, for the log-sum-exp (with values, as it is run) and for the sums by key.
  operations: (_parameters, { queryHeads, headDimension, tokens }, scored) =>
    (4 * headDimension + 3) * queryHeads * tokens + (2 * headDimension + 3) * queryHeads * scored,
  memory: (_parameters, place) => {
    const { queryHeads, keyValueHeads, tokens, largestBlock } = place;
    if (place.isFreeRun) return [];
    const ofPass = queriesHeld(keyValueHeads, place, largestBlock);
    const queries = Math.min(ofPass, queriesTogether(queryHeads, tokens));
    return [{ label: 'attention probabilities', elements: queryHeads * queries * tokens, count: 1 }];
  },
};

export const oracle: Method = {
  id: 'oracle',
  title: 'Oracle',
  summary: 'Keeps the keys that get the most attention from the block, which takes full attention to know.',
  does: 'baseline',
  citation: null,
  parameters: {
    keepFraction: {
      ...keepFraction,
      help: 'Keys that a block sees before itself, as a fraction of the text.',
    },
  },
  notes: () => [
    'Not a method one could use: it looks at full attention first. No method whose blocks see as many keys recalls more over whole blocks; compare at what is kept, not at what was asked.',
  ],
  ...compose({
    ...{ scorer: attentionReceived, budget: uniformOfText, unit: token, schedule: everyBlock },
    positions: inText,
  }),
};

/** Most probabilities held at once: heads × queries × keys. */
const MOST_PROBABILITIES = 2 ** 22;

const queriesTogether = (queryHeads: number, keys: number): number =>
  Math.max(1, Math.floor(MOST_PROBABILITIES / (queryHeads * keys)));

/** Attention that each query gives the keys before it, summed over the heads of a group: [queries, G, keys], −∞ from itself on. */
function attentionOfEach({ ops, scores }: MethodContext, input: LayerInput): Scores {
  const { block, query, key } = input;
  const logSumExp = logSumExpOf(input);
  const [groups, queries, keys] = [key.heads, block.end - block.start, block.end - 1];
  const sums = ops.scratch('f32', queries * groups * keys, 'attention given');
  const together = queriesTogether(query.heads, keys);
  for (let from = 0; from < queries; from += together) {
    const rows = Math.min(together, queries - from);
    const weights = ops.scratch('f32', query.heads * rows * keys, 'attention probabilities');
    ops.attentionProbabilities({
      query: sliceRows(query, from, rows),
      key: sliceRows(key, 0, keys),
      ...scores,
      logSumExp: { ...logSumExp, offset: logSumExp.offset + from },
      causalOffset: block.start + from,
      out: weights,
    });
    ops.sumHeads({
      input: headMajorRows(weights, query.heads, rows, keys),
      out: tokenMajorRows(sums, groups, rows, keys, from * groups * keys),
    });
    ops.release(weights);
  }
  const buffer = ops.scratch('f32', queries * groups * keys, 'attention given to the keys before');
  for (let group = 0; group < groups; group++) {
    const ofGroup = (scores: DeviceBuffer): ScoreRows => ({
      ...{ buffer: scores, offset: group * keys, rows: queries, length: keys, rowStride: groups * keys },
    });
    // A width of 1 copies what each query may choose from, and puts −∞ beyond.
    const rows = { input: ofGroup(sums), firstLength: block.start, out: ofGroup(buffer) };
    ops.pool({ kind: 'max', width: 1, ...rows });
  }
  ops.release(sums);
  return inBuffers(ops, [buffer], { score: denseScores(buffer, queries * groups, keys) });
}

function logSumExpOf({ logSumExp }: LayerInput): RowScalars {
  if (!logSumExp) throw new Error("the oracle needs full attention's log-sum-exp");
  return logSumExp;
}
