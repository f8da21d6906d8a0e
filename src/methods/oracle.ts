/**
 * The keys with the most attention, known only after full attention: no other set of as many keys, shared by a block's queries and
 * the heads of a group, gets more of their attention in all.
 */

import type { Ops, RowScalars, ScoreRows } from '../../gpu/ops';
import { type DeviceBuffer, headMajorRows, sliceRows, tokenMajorRows } from '../../gpu/rows';
import { equalBlocks } from './blocks';
import { keptOfText, withKeepFraction } from './budget';
import { defaultChunkTokens, keepFraction } from './defaults';
import { denseScores } from './evict-once';
import { keepEverything } from './full';
import type { LayerInput, Method, MethodContext, Selection } from './method';
import { type Buffers, inBuffers, remembered } from './remember';

export const oracle: Method = {
  id: 'oracle',
  title: 'Oracle',
  summary: 'Keeps the keys that get the most attention from the block, which takes full attention to know.',
  citation: null,
  family: 'reselect',
  sets: 'kvHead',
  needs: { unrotated: false, fullAttention: true },
  parameters: {
    keepFraction: {
      ...keepFraction,
      help: 'Keys that a block sees before itself, as a fraction of the text.',
    },
  },
  notes: () => [
    'Not a method one could use: it looks at full attention first. No method whose blocks see as many keys recalls more over whole blocks; compare at what is kept, not at what was asked.',
  ],
  blocks: (_parameters, tokens, _evictAt, context) => equalBlocks(0, tokens, defaultChunkTokens(context)),
  start: (context, parameters) => ({
    positions: 'model',
    select: (input) => select(context, input, keptOfText(parameters, input.layer, context.totalTokens)),
    each: {
      select: (input) => selectEach(context, input, keptOfText(parameters, input.layer, context.totalTokens)),
    },
    mark() {},
    rewind() {},
    dispose() {},
  }),
  cost(parameters, context, layer, { position, block }) {
    const kept = keptOfText(parameters, layer, context.tokens);
    const { queryHeads, keyValueHeads, headDimension } = context;
    const isCut = kept < block.start;
    return {
      keptKeys: Math.min(kept, block.start) + position + 1 - block.start,
      // Full attention's logits twice, for the log-sum-exp (with values, as it is run) and for the column sums.
      selectionOperations: isCut
        ? (4 * headDimension + 3) * queryHeads * (position + 1) +
          (2 * headDimension + 3) * queryHeads * block.start
        : 0,
      readNumbers: 2 * keyValueHeads * headDimension * (position + 1),
    };
  },
  withBudget: withKeepFraction,
};

/** Per KV head the `count` keys before the block with the largest sums of attention from its queries and query heads. */
function select(context: MethodContext, input: LayerInput, count: number): Selection {
  const { ops, attentionScale: scale } = context;
  const { block, query, key } = input;
  if (count >= block.start) return keepEverything(block.start);
  const sets = key.heads;
  const make = () => {
    const buffer = ops.scratch('f32', sets * block.start, 'attention received');
    ops.attentionColumnSums({
      query,
      key: sliceRows(key, 0, block.start),
      scale,
      logSumExp: logSumExpOf(input),
      visible: { range: { start: 0, end: block.start, causal: false } },
      out: denseScores(buffer, sets, block.start),
    });
    return inBuffers(ops, [buffer], { buffer });
  };
  const scores = remembered(context.memo, `oracle/${input.layer}/${block.start}/${block.end}`, make);
  return best(
    ops,
    denseScores(scores.value.buffer, sets, block.start),
    block.start,
    1,
    count,
    scores.owned,
  )[0]!;
}

/** The same for queries that are each a block of one; null where some keep everything. */
function selectEach(context: MethodContext, input: LayerInput, count: number): Selection[] | null {
  const { ops } = context;
  const { block, key } = input;
  if (count >= block.start) return null;
  const queries = block.end - block.start;
  const place = `oracle/${input.layer}/${block.start}/${block.end}/each`;
  const scores = remembered(context.memo, place, () => attentionOfEach(context, input));
  const rows = denseScores(scores.value.buffer, queries * key.heads, block.end - 1);
  return best(ops, rows, block.start, queries, count, scores.owned);
}

/** Most weights held at once: heads × queries × keys. */
const MOST_WEIGHTS = 2 ** 22;

/** Attention that each query gives the keys before it, summed over the heads of a group: [queries, G, keys], −∞ from itself on. */
function attentionOfEach(
  { ops, attentionScale: scale }: MethodContext,
  input: LayerInput,
): Buffers & { buffer: DeviceBuffer } {
  const { block, query, key } = input;
  const logSumExp = logSumExpOf(input);
  const [groups, queries, keys] = [key.heads, block.end - block.start, block.end - 1];
  const sums = ops.scratch('f32', queries * groups * keys, 'attention given');
  const together = Math.max(1, Math.floor(MOST_WEIGHTS / (query.heads * keys)));
  for (let from = 0; from < queries; from += together) {
    const rows = Math.min(together, queries - from);
    const weights = ops.scratch('f32', query.heads * rows * keys, 'attention weights');
    ops.attentionWeights({
      query: sliceRows(query, from, rows),
      key: sliceRows(key, 0, keys),
      scale,
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
  return inBuffers(ops, [buffer], { buffer });
}

/**
 * The `count` best of each row of dense `scores` [queries, sets], as a selection for each query. The first query has
 * `firstCandidates` candidates, each later one has one more.
 */
function best(
  ops: Ops,
  scores: ScoreRows,
  firstCandidates: number,
  queries: number,
  count: number,
  owned: readonly DeviceBuffer[],
): Selection[] {
  const sets = scores.rows / queries;
  const buffer = ops.scratch('u32', scores.rows * count, 'kept keys');
  const tied = ops.scratch('u32', scores.rows, 'tied at the cut');
  const list = { buffer, offset: 0, sets: scores.rows, count, rowStride: count };
  ops.topK({ score: scores, count, indexBase: 0, out: list, tied: { buffer: tied, offset: 0 } });
  return Array.from({ length: queries }, (_, i): Selection => {
    const end = firstCandidates + i;
    const first = i * sets;
    return {
      list: count > 0 ? { ...list, offset: first * count, sets } : null,
      rangeStart: end,
      candidates: { start: 0, end },
      score: {
        rows: { ...scores, offset: scores.offset + first * scores.rowStride, rows: sets, length: end },
        scoreStart: 0,
      },
      tiedAtCut: count > 0 ? { buffer: tied, offset: first, sets } : null,
      owned: i === 0 ? [buffer, tied, ...owned] : [],
    };
  });
}

function logSumExpOf({ logSumExp }: LayerInput): RowScalars {
  if (!logSumExp) throw new Error("the oracle needs full attention's log-sum-exp");
  return logSumExp;
}
