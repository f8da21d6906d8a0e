/**
 * Attention with the mean value for the keys that are left out: α · attention to those that are seen + (1 − α) · mean of all values, α being
 * the share that approximate logits give to what is seen (arXiv 2312.04985, Alg. 1; ann_attention.py, AnnAttention).
 */
import type { IndexList } from '../../../gpu/ops';
import { eachRowAsHead, headMajorRows, type Rows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { attendSelection } from '../../model/decoder/attend';
import { queriesHeld } from '../blocks';
import type { LayerInput, MethodContext } from '../method';
import { isOn, type Parameters } from '../parameters';
import type { Positions } from '../positions';
import { denseScores } from '../units';
import { channelsIn } from './schema';

export const meanOfOthers: Positions = {
  of: () => 'model',
  attend(context, parameters) {
    const { ops, scores } = context;
    if (!isOn(parameters, 'meanValue')) return {};
    return {
      attend(input, selection, out, logSumExp) {
        attendSelection(ops, input, selection, scores, out, logSumExp);
        if (selection.list) mixMean(context, parameters, input, selection.list, out);
      },
      attendEach(input, { near, far }, out, logSumExp) {
        const { query, key, value } = input;
        const chosen = far && far.count > 0 ? far : null;
        // A query sees what it chose, or everything.
        ops.attention({
          ...{ query: eachRowAsHead(query), key, value, ...scores, out: eachRowAsHead(out) },
          visible: { list: chosen ?? near(), range: { start: 0, end: 0, causal: false } },
          logSumExp: { ...logSumExp, headStride: 1 },
        });
        if (chosen) mixMean(context, parameters, input, chosen, out);
      },
    };
  },
  memory: (parameters, place) => {
    if (!isOn(parameters, 'meanValue')) return [];
    const { queryHeads, keyValueHeads, tokens, headDimension } = place;
    const rows = queryHeads * queriesHeld(keyValueHeads, place);
    return [
      { label: 'shares of keys', elements: rows * tokens, count: 1 },
      { label: 'outputs with the mean value', elements: rows * headDimension, count: 3 },
    ];
  },
};

/** α by head and query, [H·n, 1, 1], `list` having a set for each or for several heads; the caller's `scratch` holds it. */
export function keptShare(
  { ops, scores }: MethodContext,
  parameters: Parameters,
  { layer, query: asked, key }: LayerInput,
  list: IndexList,
  scratch: Scratch,
): Rows {
  const { heads, rows, channels } = asked;
  const query = scratch.rows(heads, rows, channels, 'queries on their largest channels');
  ops.sparseQueries({
    query: asked,
    groups: key.heads,
    count: channelsIn(parameters, layer, channels),
    out: query,
  });
  const logSumExp = scratch.scalars(heads, rows, 'log-sum-exp of approximate logits');
  const range = { start: 0, end: key.rows, causal: true };
  const unused = scratch.rows(heads, rows, channels, 'attention by approximate logits');
  ops.attention({ query, key, value: key, ...scores, visible: { range }, out: unused, logSumExp });
  const each = heads * rows;
  const received = denseScores(scratch.floats(each * key.rows, 'shares of keys'), each, key.rows);
  ops.accumulatedAttention({
    ...{ query: eachRowAsHead(query), key, ...scores, logSumExp: { ...logSumExp, headStride: 1 } },
    visible: { list, range: { start: 0, end: 0, causal: false } },
    out: received,
  });
  const share = scratch.floats(each, 'share of the keys that are seen');
  ops.segmentReduce({
    kind: 'sum',
    input: received,
    segmentLength: key.rows,
    out: denseScores(share, each, 1),
  });
  return headMajorRows(share, each, 1, 1);
}

/** out ← α · out + (1 − α) · mean of the values, as mean + α · (out − mean). */
function mixMean(
  context: MethodContext,
  parameters: Parameters,
  input: LayerInput,
  list: IndexList,
  out: Rows,
): void {
  const { ops } = context;
  const { query, key, value } = input;
  const { heads, rows, channels } = out;
  const scratch = new Scratch(ops);
  const share = keptShare(context, parameters, input, list, scratch);
  const mean = scratch.rows(heads, rows, channels, 'mean value');
  // Where products count nothing all keys weigh the same.
  ops.attention({
    query,
    key,
    value,
    scale: 0,
    visible: { range: { start: 0, end: key.rows, causal: true } },
    out: mean,
  });
  ops.sumHeads({ input: mean, out, factor: -1, accumulate: true });
  const mixed = scratch.rows(heads, rows, channels, 'outputs with the mean value');
  ops.mixRows({ matrix: share, input: eachRowAsHead(out), out: eachRowAsHead(mixed) });
  ops.sumHeads({ input: mean, out: mixed, accumulate: true });
  ops.copyRows({ input: mixed, out });
  scratch.release();
}
