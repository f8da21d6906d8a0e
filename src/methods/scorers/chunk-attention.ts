/**
 * The attention that a key gets from all queries of its chunk, without a mask and without 1/√d, times its value's norm, a mean along the
 * text, z-scored over heads and tokens (Compactor, arXiv 2507.08143; kvpress 0.5.5, non_causal_attention_press.py).
 */
import type { ScoreRows } from '../../../gpu/ops';
import { headMajorRows, type Rows, sliceHeads, sliceRows } from '../../../gpu/rows';
import type { Scratch } from '../../../gpu/scratch';
import { mostTokens, scaledDefault } from '../defaults';
import type { MemoryPlace } from '../method';
import type { CountParameter, ParameterContext } from '../parameters';
import { denseScores } from '../units';
import { asColumn, norms, rowProducts, standardise } from './rows';

export const chunkTokensParameter: CountParameter = {
  kind: 'count',
  label: 'Chunk',
  symbol: 'c',
  help: 'Tokens whose queries and keys attend to each other. kvpress calls it chunk_size, 256 by default.',
  unit: 'tokens',
  minimum: 1,
  maximum: mostTokens,
  ...scaledDefault(8, 32, 256),
};

interface ChunkAttention {
  /** [H, n, d], of the same tokens as key and value [G, n, d]. */
  readonly query: Rows;
  readonly key: Rows;
  readonly value: Rows;
  readonly chunkTokens: number;
  readonly poolKernel: number;
  /** Dense [G, n]. */
  readonly out: ScoreRows;
}

export function chunkAttention(scratch: Scratch, a: ChunkAttention): void {
  const { query, key, value, out, chunkTokens: c } = a;
  const { ops } = scratch;
  const { heads: G, rows: n, channels: d } = key;
  if (n === 0) return;
  const perGroup = query.heads / G;
  const chunks = Math.ceil(n / c);
  const whole = Math.floor(n / c);
  const zeros = (heads: number, label: string): Rows =>
    headMajorRows(scratch.keep(ops.allocate('f32', heads * chunks * c * d, label)), heads * chunks, c, d);
  // Chunks are heads of their own, [G, chunks, heads of a group] and [G, chunks]; a short last one is filled up with zeros, as in kvpress.
  const [queries, keys] = [zeros(query.heads, 'queries by chunk'), zeros(G, 'keys by chunk')];
  const size = c * d;
  for (let head = 0; head < query.heads; head++) {
    const group = Math.floor(head / perGroup);
    const offset = (group * chunks * perGroup + (head % perGroup)) * size;
    const own = sliceHeads(query, head, 1);
    ops.copyRows({
      input: { ...own, heads: whole, rows: c, headStride: c * own.rowStride },
      out: { ...queries, offset, heads: whole, headStride: perGroup * size },
    });
    ops.copyRows({
      input: sliceRows(own, whole * c, n - whole * c),
      out: { ...queries, offset: offset + whole * perGroup * size, heads: 1, rows: n - whole * c },
    });
  }
  ops.copyRows({ input: key, out: { ...keys, heads: G, rows: n, headStride: chunks * size } });
  const visible = { range: { start: 0, end: c, causal: false } };
  const logSumExp = scratch.scalars(queries.heads, c, 'log-sum-exp by chunk');
  const unread = scratch.rows(queries.heads, c, d, 'unread');
  ops.attention({ query: queries, key: keys, value: keys, scale: 1, visible, out: unread, logSumExp });
  const received = scratch.floats(G * chunks * c, 'attention received in chunks');
  ops.accumulatedAttention({
    ...{ query: queries, key: keys, scale: 1, visible, logSumExp },
    out: denseScores(received, G * chunks, c),
  });
  const ofTokens = (label: string) => denseScores(scratch.floats(G * n, label), G, n);
  const [lengths, products] = [ofTokens('norms of values'), ofTokens('attention times value norm')];
  norms(scratch, value, lengths);
  const sums = { ...denseScores(received, G, n), rowStride: chunks * c };
  rowProducts(scratch, asColumn(sums), asColumn(lengths), products, 1 / perGroup);
  ops.pool({ kind: 'mean', input: products, width: a.poolKernel, out });
  standardise(scratch, out);
}

/** Products of a chunk's queries and keys, twice; norms and means. */
export function chunkOperations(
  { queryHeads: H, keyValueHeads: G, headDimension: d }: ParameterContext,
  tokens: number,
  chunkTokens: number,
): number {
  return Math.ceil(tokens / chunkTokens) * chunkTokens ** 2 * H * (6 * d + 6) + tokens * G * (2 * d + 8);
}

export function chunkMemory({
  queryHeads: H,
  keyValueHeads: G,
  headDimension: d,
  tokens,
  layers,
}: MemoryPlace) {
  return [
    // All that were read.
    { label: 'earlier queries', elements: tokens * H * d, count: layers },
    { label: 'queries by chunk', elements: tokens * H * (d + 1), count: 2 },
    { label: 'keys by chunk', elements: tokens * G * (d + 2), count: 2 },
  ];
}
