/** How query heads vote for tokens (patcher/token_retrieval.py, TokenRetriever.get_topk_tokens). */
import { LOWEST_SCORE, type Ops, type RowScalars, type ScoreRows } from '../../../gpu/ops';
import {
  type DeviceBuffer,
  headMajorRows,
  matrixRows,
  type Rows,
  sliceHeads,
  sliceRows,
  tokenMajorRows,
} from '../../../gpu/rows';
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

/** Scores of tokens by query, one row after the other; a row's entries behind its own query's middle are lower than all others. */
export type Votes = Buffers & { readonly score: ScoreRows };

/**
 * Scores of tokens [0, middle.end): infinite for initial ones, then votes. Every query head shares one vote among the middle's tokens,
 * softmax(q̄·K) without 1/√d, q̄ the mean of the block's queries; votes are added, and pooled if asked. With `isEach` every query of the
 * block votes by itself, the last one about `middle` and each before it about a token less.
 */
export function votes(
  context: MethodContext,
  parameters: Parameters,
  input: LayerInput,
  middle: Middle,
  isEach: boolean,
): Votes {
  const { ops } = context;
  const { poolKernel } = lengthsIn(parameters, input.layer);
  const { keyUnrotated } = input;
  if (!keyUnrotated) lacking();
  const length = middle.end - middle.start;
  const scratch = new Scratch(ops);
  const key = sliceRows(keyUnrotated, middle.start, length);
  const query = votingQueries(context, parameters, input, isEach, scratch);
  const { rows } = query;
  const visible = { range: { start: 0, end: length, causal: rows > 1 } };
  const logSumExp = scratch.scalars(query.heads, rows, 'log-sum-exp of votes');
  const unused = scratch.rows(query.heads, rows, query.channels, 'attention of the mean query');
  ops.attention({ query, key, value: key, scale: 1, visible, out: unused, logSumExp });
  const byHead = scratch.floats(key.heads * rows * length, 'votes by KV head');
  const out = denseScores(byHead, key.heads * rows, length);
  if (rows === 1) ops.accumulatedAttention({ query, key, scale: 1, logSumExp, visible, out });
  else accumulateEach(ops, { query, key, logSumExp, out }, scratch);

  // Room behind each row for what hides the tokens that later queries see.
  const rowStride = middle.end + rows - 1;
  const buffer = ops.scratch('f32', rows * rowStride, 'votes');
  const all = poolKernel > 1 ? scratch.floats(rows * rowStride, 'votes before pooling') : buffer;
  ops.sumHeads({
    input: headMajorRows(byHead, key.heads, rows, length),
    out: { ...matrixRows(all, rows, length, middle.start), rowStride },
  });
  if (poolKernel > 1) {
    // No vote is below those that are none.
    const of = { offset: middle.start, rows, length, rowStride };
    ops.pool({ kind: 'max', input: { buffer: all, ...of }, width: poolKernel, out: { buffer, ...of } });
  }
  const infinite = infinities(context, middle.start);
  ops.copyRows({
    input: { ...matrixRows(infinite.value.buffer, rows, middle.start), rowStride: 0 },
    out: { ...matrixRows(buffer, rows, middle.start), rowStride },
  });
  ops.release(...infinite.owned);
  if (rows > 1) {
    const lowest = scratch.upload(new Float32Array(rows - 1).fill(LOWEST_SCORE), 'lowest scores');
    ops.copyRows({
      input: { ...matrixRows(lowest, rows, rows - 1), rowStride: 0 },
      out: { ...matrixRows(buffer, rows, rows - 1, middle.end - rows + 1), rowStride: rowStride + 1 },
    });
  }
  scratch.release();
  return inBuffers(ops, [buffer], {
    score: { buffer, offset: 0, rows, length: middle.end, rowStride },
  });
}

/**
 * Weights of [H, n, d] on keys, summed over the heads of a KV head: out row g·n + i has those of query i, which sees as many keys less as
 * there are queries behind it.
 */
function accumulateEach(
  ops: Ops,
  { query, key, logSumExp, out }: { query: Rows; key: Rows; logSumExp: RowScalars; out: ScoreRows },
  scratch: Scratch,
): void {
  const { heads, rows, channels } = query;
  const [groups, sharing] = [key.heads, heads / key.heads];
  // The heads of a KV head as rows of one, for each query.
  const asked = scratch.rows(groups * rows, sharing, channels, 'queries by KV head');
  const sums = scratch.scalars(groups * rows, sharing, 'log-sum-exp by KV head');
  const byQuery = (of: Rows, buffer: DeviceBuffer): void => {
    for (let group = 0; group < groups; group++) {
      ops.copyRows({
        input: sliceHeads(of, group * sharing, sharing),
        out: tokenMajorRows(buffer, sharing, rows, of.channels, group * sharing * rows * of.channels),
      });
    }
  };
  byQuery(query, asked.buffer);
  byQuery(headMajorRows(logSumExp.buffer, heads, rows, 1), sums.buffer);
  // All lists are the first tokens, as many as the query sees.
  const sets = groups * rows;
  const list = new Uint32Array(sets + key.rows);
  for (let set = 0; set < sets; set++) list[set] = key.rows - rows + 1 + (set % rows);
  for (let token = 0; token < key.rows; token++) list[sets + token] = token;
  ops.accumulatedAttention({
    ...{ query: asked, key, scale: 1, logSumExp: sums, out },
    visible: {
      list: {
        ...{ buffer: scratch.upload(list, 'first tokens'), offset: sets, sets },
        ...{ count: key.rows, rowStride: 0, countsOffset: 0 },
      },
      range: { start: 0, end: 0, causal: false },
    },
  });
}

/** q̄, [H, 1, d]; with `isEach` the block's queries, [H, n, d]. */
function votingQueries(
  { ops, rotationOf }: MethodContext,
  parameters: Parameters,
  { layer, queryUnrotated }: LayerInput,
  isEach: boolean,
  scratch: Scratch,
): Rows {
  if (!queryUnrotated) lacking();
  const { heads, rows, channels } = queryUnrotated;
  let query = queryUnrotated;
  const table = rotationOf(layer);
  if (table && choiceOf(parameters, 'scoreQuery') === 'rotated') {
    query = scratch.rows(heads, rows, channels, 'queries behind the local tokens');
    // To its place in its block, then to n_local: the table need not reach beyond the text.
    ops.rotate({ input: queryUnrotated, table, positions: { start: 0, step: isEach ? 0 : 1 }, out: query });
    const { localTokens } = lengthsIn(parameters, layer);
    ops.rotate({ input: query, table, positions: { start: localTokens, step: 0 }, out: query });
  }
  if (rows === 1 || isEach) return query;
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
