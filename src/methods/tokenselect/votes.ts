/** How query heads vote for tokens (patcher/token_retrieval.py, TokenRetriever.get_topk_tokens). */
import { headMajorRows, matrixRows, type Rows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import type { LayerInput, MethodContext } from '../method';
import { choiceOf, type Parameters } from '../parameters';
import { type Buffers, inBuffers, infinities } from '../remember';
import { denseScores } from '../units';
import { lengthsIn } from './schema';

/** Tokens between the initial and the local ones, [start, end). */
export interface Middle {
  readonly start: number;
  readonly end: number;
}

/**
 * Scores of tokens [0, middle.end): infinite for initial ones, then votes. Every query head shares one vote among the middle's tokens,
 * softmax(q̄·K) without 1/√d, q̄ the mean of the block's queries; votes are added, and pooled if asked.
 */
export function votes(
  context: MethodContext,
  parameters: Parameters,
  input: LayerInput,
  middle: Middle,
): Buffers & { readonly buffer: Buffers['buffers'][number] } {
  const { ops } = context;
  const { poolKernel } = lengthsIn(parameters, input.layer);
  const { keyUnrotated } = input;
  if (!keyUnrotated) lacking();
  const length = middle.end - middle.start;
  const scratch = new Scratch(ops);
  const key = sliceRows(keyUnrotated, middle.start, length);
  const query = meanQuery(context, parameters, input, scratch);
  const visible = { range: { start: 0, end: length, causal: false } };
  const logSumExp = scratch.scalars(query.heads, 1, 'log-sum-exp of votes');
  const unused = scratch.rows(query.heads, 1, query.channels, 'attention of the mean query');
  ops.attention({ query, key, value: key, scale: 1, visible, out: unused, logSumExp });
  const byHead = scratch.floats(key.heads * length, 'votes by KV head');
  const out = denseScores(byHead, key.heads, length);
  ops.accumulatedAttention({ query, key, scale: 1, logSumExp, visible, out });

  const buffer = ops.scratch('f32', middle.end, 'votes');
  const all = poolKernel > 1 ? scratch.floats(middle.end, 'votes before pooling') : buffer;
  ops.sumHeads({
    input: headMajorRows(byHead, key.heads, 1, length),
    out: headMajorRows(all, 1, 1, length, middle.start),
  });
  if (poolKernel > 1) {
    const of = { offset: middle.start, rows: 1, length, rowStride: length };
    ops.pool({ kind: 'max', input: { buffer: all, ...of }, width: poolKernel, out: { buffer, ...of } });
  }
  const infinite = infinities(context, middle.start);
  ops.copyRows({
    input: matrixRows(infinite.value.buffer, 1, middle.start),
    out: matrixRows(buffer, 1, middle.start),
  });
  ops.release(...infinite.owned);
  scratch.release();
  return inBuffers(ops, [buffer], { buffer });
}

/** q̄, [H, 1, d]. */
function meanQuery(
  { ops, rotation: table }: MethodContext,
  parameters: Parameters,
  { layer, queryUnrotated }: LayerInput,
  scratch: Scratch,
): Rows {
  if (!queryUnrotated) lacking();
  const { heads, rows, channels } = queryUnrotated;
  let query = queryUnrotated;
  if (table && choiceOf(parameters, 'scoreQuery') === 'rotated') {
    query = scratch.rows(heads, rows, channels, 'queries behind the local tokens');
    // To i, then to n_local: the table need not reach beyond the text.
    ops.rotate({ input: queryUnrotated, table, positions: { start: 0, step: 1 }, out: query });
    const { localTokens } = lengthsIn(parameters, layer);
    ops.rotate({ input: query, table, positions: { start: localTokens, step: 0 }, out: query });
  }
  if (rows === 1) return query;
  const mean = scratch.rows(heads, 1, channels, 'mean query');
  const weights = scratch.upload(new Float32Array(rows).fill(1 / rows), 'weights of a mean');
  ops.mixRows({ matrix: matrixRows(weights, 1, rows), input: query, out: mean });
  return mean;
}

function lacking(): never {
  throw new UserError(
    'tokenselect needs queries and keys before rotation, which this capture lacks; choose another method.',
  );
}
