/** What the last queries of a prompt attend to, by column and by diagonal (minference_forward.py: sum_all_diagonal_matrix). */
import type { ScoreRows } from '../../../gpu/ops';
import { headMajorRows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { MethodContext, PromptRows } from '../method';
import { type Buffers, inBuffers } from '../remember';
import { denseScores } from '../units';

/** Sums of probabilities, a row for each query head of entries for the prompt's A tokens. */
export interface LastQueryScores extends Buffers {
  /** Of every key, over the queries. */
  readonly vertical: ScoreRows;
  /** Along the diagonal on which the prompt's last query sees key t: entry t. */
  readonly slash: ScoreRows;
}

export function lastQueryScores(
  { ops, scores }: Pick<MethodContext, 'ops' | 'scores'>,
  { query: all, key, value }: PromptRows,
  lastQueries: number,
): LastQueryScores {
  const { heads, rows: tokens, channels } = all;
  const count = Math.min(lastQueries, tokens);
  const query = sliceRows(all, tokens - count, count);
  const scratch = new Scratch(ops);
  const logSumExp = scratch.scalars(heads, count, 'log-sum-exp of the last queries');
  const visible = { range: { start: 0, end: tokens, causal: true } };
  const out = scratch.rows(heads, count, channels, 'output of the last queries');
  ops.attention({ query, key, value, ...scores, visible, out, logSumExp });
  const weights = scratch.floats(heads * count * tokens, 'weights of the last queries');
  ops.attentionProbabilities({
    query,
    key,
    ...scores,
    logSumExp,
    causalOffset: tokens - count,
    out: weights,
  });
  const [vertical, slash] = [0, 1].map(() => ops.scratch('f32', heads * tokens, 'attention received'));
  /** Sums over the queries, whose row of `stride` begins `step` later with each, into `length` entries from `first` on. */
  const add = (
    buffer: typeof weights,
    stride: number,
    step: number,
    length: number,
    to: typeof weights,
    first: number,
  ) =>
    ops.sumHeads({
      input: {
        ...headMajorRows(buffer, count, heads, length),
        ...{ headStride: stride + step, rowStride: count * stride },
      },
      out: { ...headMajorRows(to, 1, heads, length, first), rowStride: tokens },
    });
  add(weights, tokens, 0, tokens, vertical!, 0);
  // Diagonals that all of them have begin at the first key; of the others only the later queries have a part.
  const corner = count - 1;
  add(weights, tokens, 1, tokens - corner, slash!, corner);
  if (corner > 0) {
    const stride = 2 * corner;
    const padded = scratch.upload(
      new Float32Array(heads * count * stride),
      'first keys with zeros before them',
    );
    ops.copyRows({
      input: { ...headMajorRows(weights, 1, heads * count, corner), rowStride: tokens },
      out: { ...headMajorRows(padded, 1, heads * count, corner, corner), rowStride: stride },
    });
    add(padded, stride, 1, corner, slash!, 0);
  }
  scratch.release();
  return inBuffers(ops, [vertical!, slash!], {
    vertical: denseScores(vertical!, heads, tokens),
    slash: denseScores(slash!, heads, tokens),
  });
}

/** Operations of these sums: attention for the log-sum-exp, its weights again, and both sums. */
export function lastQueryOperations(
  lastQueries: number,
  { queryHeads, headDimension }: Pick<MethodContext, 'queryHeads' | 'headDimension'>,
  tokens: number,
): number {
  return Math.min(lastQueries, tokens) * queryHeads * tokens * (6 * headDimension + 8);
}
