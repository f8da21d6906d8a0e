/** Products of mean queries and mean keys of blocks, not scaled (block_sparse_flash_attention.py: _build_block_index). */
import type { Ops, ScoreRows } from '../../../gpu/ops';
import type { DeviceBuffer, Rows } from '../../../gpu/rows';
import { eachRowAsHead, headMajorRows, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import type { PromptRows } from '../method';
import { denseScores } from '../units';
import { blocksOf } from './patterns';

/**
 * Scores of blocks of keys for rows [firstRow, end) of blocks of queries: row h · rows + r of `score`. What is no causal block, later
 * than the row itself, has a score as well, which is none. The caller releases the buffer.
 */
export function blockScores(
  ops: Ops,
  { query, key }: PromptRows,
  blockTokens: number,
  firstRow: number,
): { readonly score: ScoreRows; readonly buffer: DeviceBuffer } {
  const scratch = new Scratch(ops);
  const first = firstRow * blockTokens;
  const queries = meansOf(scratch, sliceRows(query, first, query.rows - first), blockTokens);
  const keys = meansOf(scratch, key, blockTokens);
  const rows = query.heads * queries.rows;
  const buffer = ops.scratch('f32', rows * keys.rows, 'scores of blocks');
  const score = denseScores(buffer, rows, keys.rows);
  ops.boundScores({ query: eachRowAsHead(queries), minimum: keys, maximum: keys, out: score });
  scratch.release();
  return { score, buffer };
}

/** Means of blocks, dense; those of a last block that is short as if zeros stood behind. */
function meansOf(scratch: Scratch, input: Rows, blockTokens: number): Rows {
  const { heads, rows, channels } = input;
  const blocks = blocksOf(blockTokens, rows);
  const out = scratch.rows(heads, blocks, channels, 'means of blocks');
  // Tokens in the place of heads: those of a block are added up, for all heads at once.
  const byToken = (view: Rows, first: number, count: number): Rows => ({
    ...view,
    offset: view.offset + first * view.rowStride,
    ...{ heads: count, rows: heads, headStride: view.rowStride, rowStride: view.headStride },
  });
  const whole = Math.floor(rows / blockTokens);
  const factor = 1 / blockTokens;
  const { ops } = scratch;
  if (whole > 0)
    ops.sumHeads({ input: byToken(input, 0, whole * blockTokens), out: byToken(out, 0, whole), factor });
  if (whole < blocks) {
    const rest = rows - whole * blockTokens;
    ops.sumHeads({ input: byToken(input, whole * blockTokens, rest), out: byToken(out, whole, 1), factor });
  }
  return headMajorRows(out.buffer, heads, blocks, channels, out.offset);
}

/** Operations of all rows of a prompt: means, and half of all products. */
export function blockOperations(
  blockTokens: number,
  {
    queryHeads: H,
    keyValueHeads: G,
    headDimension: d,
  }: { queryHeads: number; keyValueHeads: number; headDimension: number },
  tokens: number,
): number {
  const blocks = blocksOf(blockTokens, tokens);
  return (H + G) * d * tokens + H * d * blocks * (blocks + 1);
}
