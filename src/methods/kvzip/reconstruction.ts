/**
 * KVzip's scores: the most attention that a token gets from any query while the model repeats its chunk, the softmax running over the
 * first tokens of the text, the chunk and what has been repeated so far (kvpress kvzip_press.py, score_kvzip).
 */
import type { RowScalars, ScoreRows } from '../../../gpu/ops';
import { matrixRows, type Rows, sliceHeads, sliceRows } from '../../../gpu/rows';
import { Scratch } from '../../../gpu/scratch';
import { UserError } from '../../base/user-error';
import { attendSelection } from '../../model/decoder/attend';
import type { ReadPart } from '../../trace/rereading';
import { equalBlocks } from '../blocks';
import type { MethodContext, QueryBlock } from '../method';
import type { NumberTable } from '../parameters';
import { norms } from '../scorers/rows';
import { denseScores } from '../units';
import { passagesOf } from './passages';

/** Products of keys and queries that are held at once. */
const MOST_PRODUCTS = 2 ** 23;

export interface ReconstructionOptions {
  readonly chunkTokens: number;
  readonly sinkTokens: number;
  /** KVzip+: attention divided by the length of the query's hidden state, times the length of what the value writes, ‖W_O·v‖. */
  readonly normalize: boolean;
  /** Token ids of every chunk's repetition; null: words and the chunk. */
  readonly repeatIds: NumberTable | null;
}

/** Scores of the tokens before the eviction, [layers, G, S]; those of the first `sinkTokens` are one more than the largest. */
export async function reconstructionScores(
  context: MethodContext,
  { chunkTokens, sinkTokens, normalize, repeatIds }: ReconstructionOptions,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const { ops, rereading, layers, evictAt, queryHeads: H, keyValueHeads: G } = context;
  if (!rereading) throw new Error('kvzip has no model to read on with');
  const chunks = equalBlocks(0, evictAt, chunkTokens);
  const passages = passagesOf(rereading, chunks, repeatIds);
  const parts = Math.ceil(
    passages.reduce((most, { length }) => Math.max(most, length), 0) / rereading.mostAtOnce,
  );
  const rows = layers * H;
  const scratch = new Scratch(ops);
  try {
    // −∞ where a passage has no such part.
    const peaks = scratch.upload(
      new Float32Array(parts * rows * evictAt).fill(Number.NEGATIVE_INFINITY),
      'largest attention, as logarithms',
    );
    const written = normalize ? scratch.floats(rows * evictAt, 'lengths of written values') : null;
    const see = async (seen: ReadPart): Promise<void> => {
      const { passage, part, layer } = seen;
      const chunk = chunks[passage]!;
      const at = (head: number): number => (layer * H + head) * evictAt + chunk.start;
      const divisors = normalize ? await logNorms(context, seen.hidden) : null;
      const own = new Scratch(ops);
      const logSumExp = narrowed(own, context, seen, chunk, sinkTokens);
      findPeaks(own, context, seen, logSumExp, chunk, divisors, (head) => ({
        ...denseScores(peaks, chunk.end - chunk.start, 1),
        offset: part * rows * evictAt + at(head),
      }));
      if (written && part === 0) {
        for (let head = 0; head < H; head++) {
          const out = { ...denseScores(written, 1, chunk.end - chunk.start), offset: at(head) };
          writtenLengths(own, context, seen, chunk, head, out);
        }
      }
      own.release();
    };
    await rereading.read(evictAt, passages, see, signal);
    const [logs, lengths] = await Promise.all([
      ops.readFloats(peaks),
      written ? ops.readFloats(written) : null,
    ]);
    return finished(logs, lengths, { layers, heads: H, groups: G, tokens: evictAt, parts, sinkTokens });
  } finally {
    scratch.release();
  }
}

/**
 * For every query head and token of the chunk the largest, over the part's queries, of the attention's logarithm less the query's
 * divisor, if there are any.
 */
function findPeaks(
  scratch: Scratch,
  { scores: { scale, softCap }, keyValueHeads: G, queryHeads: H }: MethodContext,
  seen: ReadPart,
  logSumExp: RowScalars,
  chunk: QueryBlock,
  divisors: Float32Array | null,
  outOf: (head: number) => ScoreRows,
): void {
  const { ops } = scratch;
  const { query } = seen;
  const { rows: n, channels: d } = query;
  const scaled = scratch.rows(H, n, d, 'scaled queries');
  ops.sumHeads({ input: query, out: scaled, factor: scale });
  const logs = divisors && matrixRows(scratch.upload(divisors, 'lengths of queries, as logarithms'), 1, n);
  const most = Math.max(1, Math.floor(MOST_PRODUCTS / n));
  const products = scratch.floats(Math.min(most, chunk.end - chunk.start) * n, 'attention, as logarithms');
  for (let head = 0; head < H; head++) {
    // What every query's products are less of.
    const bias = scratch.floats(n, 'less the log-sum-exp');
    const { buffer, offset, headStride } = logSumExp;
    ops.sumHeads({
      input: matrixRows(buffer, 1, n, offset + head * headStride),
      out: matrixRows(bias, 1, n),
      factor: -1,
    });
    if (logs) ops.sumHeads({ input: logs, out: matrixRows(bias, 1, n), factor: -1, accumulate: true });
    const key = sliceHeads(seen.key, Math.floor((head * G) / H), 1);
    const out = outOf(head);
    for (let start = chunk.start; start < chunk.end; start += most) {
      const tokens = Math.min(most, chunk.end - start);
      const rows = { input: sliceRows(key, start, tokens), weight: sliceHeads(scaled, head, 1) };
      const made = matrixRows(products, tokens, n);
      if (softCap === undefined) ops.matmul({ ...rows, bias, out: made });
      else {
        ops.matmul({ ...rows, out: made });
        ops.activate({ kind: 'soft-cap', cap: softCap, input: made, out: made });
        const ones = scratch.upload(new Float32Array(tokens).fill(1), 'ones');
        const less = { input: matrixRows(ones, tokens, 1), weight: matrixRows(bias, n, 1) };
        ops.matmul({ ...less, out: made, accumulate: true });
      }
      ops.segmentReduce({
        ...{ kind: 'max', segmentLength: n, input: denseScores(products, tokens, n) },
        out: { ...out, rows: tokens, offset: out.offset + start - chunk.start },
      });
    }
  }
}

/** Log-sum-exp of the part's queries over the first tokens, the chunk and the passage up to their own, [H, n]. */
function narrowed(
  scratch: Scratch,
  { evictAt, scores }: MethodContext,
  { query, key, value, logSumExp: full }: ReadPart,
  { start, end }: QueryBlock,
  sinkTokens: number,
): RowScalars {
  // A chunk that is the whole context leaves nothing out.
  if (start === 0 && end === evictAt) return full;
  const { heads, rows: n, channels } = query;
  const sinks = Math.min(sinkTokens, start);
  const count = sinks + end - start;
  const seen = Uint32Array.from({ length: count }, (_, i) => (i < sinks ? i : start + i - sinks));
  const buffer = scratch.upload(seen, 'first tokens and chunk');
  const logSumExp = scratch.scalars(heads, n, 'log-sum-exp over the chunk');
  attendSelection(
    scratch.ops,
    { block: { start: key.rows - n, end: key.rows }, query, key, value },
    { list: { buffer, offset: 0, sets: 1, count, rowStride: count }, rangeStart: evictAt },
    scores,
    scratch.rows(heads, n, channels, 'unread output'),
    logSumExp,
  );
  return logSumExp;
}

/** Logarithms of the lengths of hidden states. */
async function logNorms({ ops }: MethodContext, hidden: Rows): Promise<Float32Array> {
  const scratch = new Scratch(ops);
  const out = denseScores(scratch.floats(hidden.rows, 'lengths of hidden states'), 1, hidden.rows);
  norms(scratch, hidden, out);
  const lengths = ops.readFloats(out.buffer, 0, hidden.rows);
  scratch.release();
  return (await lengths).map(Math.log);
}

/** ‖W_O·v‖ of the chunk's values, W_O the head's own columns. */
function writtenLengths(
  scratch: Scratch,
  { outputWeight, queryHeads: H, keyValueHeads: G, headDimension: d }: MethodContext,
  { layer, value }: ReadPart,
  { start, end }: QueryBlock,
  head: number,
  out: ScoreRows,
): void {
  const weight = outputWeight(layer)!;
  const written = scratch.rows(1, end - start, weight.rows, 'what values write');
  scratch.ops.matmul({
    input: sliceRows(sliceHeads(value, Math.floor((head * G) / H), 1), start, end - start),
    weight: { ...weight, offset: weight.offset + head * d, channels: d },
    out: written,
  });
  norms(scratch, written, out);
}

interface Sizes {
  readonly layers: number;
  readonly heads: number;
  readonly groups: number;
  readonly tokens: number;
  readonly parts: number;
  readonly sinkTokens: number;
}

/** The largest over parts and the query heads of each KV head, of logarithms [parts, layers, H, S]. Throws UserError: not finite. */
function finished(logs: Float32Array, lengths: Float32Array | null, sizes: Sizes): Float32Array {
  const { layers, heads: H, groups: G, tokens: S, parts } = sizes;
  const scores = new Float32Array(layers * G * S);
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < H; head++) {
      const group = layer * G + Math.floor((head * G) / H);
      for (let token = 0; token < S; token++) {
        const at = (layer * H + head) * S + token;
        let peak = Number.NEGATIVE_INFINITY;
        for (let part = 0; part < parts; part++) {
          peak = Math.max(peak, logs[part * layers * H * S + at]!);
        }
        const score = Math.exp(peak) * (lengths ? lengths[at]! : 1);
        if (!Number.isFinite(score)) {
          throw new UserError(
            `kvzip: in layer ${layer} the scores of keys are not finite: numbers there are too large for 32 bits; nothing is selected by them.`,
          );
        }
        const to = group * S + token;
        if (score > scores[to]!) scores[to] = score;
      }
    }
  }
  const largest = scores.reduce((most, score) => Math.max(most, score), 0);
  for (let row = 0; row < layers * G; row++)
    scores.fill(largest + 1, row * S, row * S + Math.min(sizes.sinkTokens, S));
  return scores;
}
