/**
 * The keys with the most attention, known only after full attention: no other set of as many keys, shared by a block's queries and
 * the heads of a group, gets more of their attention in all.
 */

import { sliceRows } from '../../gpu/rows';
import { equalBlocks } from './blocks';
import { keptOfText, withKeepFraction } from './budget';
import { defaultChunkTokens, keepFraction } from './defaults';
import { denseScores } from './evict-once';
import { keepEverything } from './full';
import type { LayerInput, Method, MethodContext, Selection } from './method';
import { inBuffers, remembered } from './remember';

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
  const { block, query, key, logSumExp } = input;
  if (count >= block.start) return keepEverything(block.start);
  if (!logSumExp) throw new Error("the oracle needs full attention's log-sum-exp");
  const sets = key.heads;
  const make = () => {
    const buffer = ops.scratch('f32', sets * block.start, 'attention received');
    ops.attentionColumnSums({
      query,
      key: sliceRows(key, 0, block.start),
      scale,
      logSumExp,
      causalOffset: block.start,
      out: denseScores(buffer, sets, block.start),
    });
    return inBuffers(ops, [buffer], { buffer });
  };
  const scores = remembered(context.memo, `oracle/${input.layer}/${block.start}/${block.end}`, make);
  const rows = denseScores(scores.value.buffer, sets, block.start);
  const buffer = ops.scratch('u32', sets * count, 'kept keys');
  const tied = ops.scratch('u32', sets, 'tied at the cut');
  const list = { buffer, offset: 0, sets, count, rowStride: count };
  ops.topK({ score: rows, count, indexBase: 0, out: list, tied: { buffer: tied, offset: 0 } });
  return {
    list: count > 0 ? list : null,
    rangeStart: block.start,
    candidates: { start: 0, end: block.start },
    score: { rows, scoreStart: 0 },
    tiedAtCut: count > 0 ? { buffer: tied, offset: 0, sets } : null,
    owned: [buffer, tied, ...scores.owned],
  };
}
