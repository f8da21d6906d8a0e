/** What scores are made of, by operations that are there: rows of one length, products row by row, means, transposes, z-scores. */
import type { ScoreRows } from '../../../gpu/ops';
import { headMajorRows, type Rows } from '../../../gpu/rows';
import type { Scratch } from '../../../gpu/scratch';

/**
 * The score of what a method keeps whatever the scores are: above every other, and far enough from the ends of 32 bits for sums of
 * a few.
 */
export const PROTECTED = 1e30;

/** Added to the mean square of a row before its root: a row of zeros stays one, and no other is changed. */
const EPSILON = 1e-30;

/** Rows of `input` with the norm |length|, reversed where `length` is negative; zeros stay zeros. */
export function withLength(scratch: Scratch, input: Rows, length: number, label: string): Rows {
  const { heads, rows, channels } = input;
  const out = scratch.rows(heads, rows, channels, label);
  const weight = scratch.upload(new Float32Array(channels).fill(length / Math.sqrt(channels)), 'length');
  scratch.ops.normalize({ kind: 'rms', input, weight, epsilon: EPSILON, out });
  return out;
}

/** One number a row, each row by itself: [heads, length] as rows of one channel. */
export function asColumn({ buffer, offset, rows, length, rowStride }: ScoreRows): Rows {
  return { buffer, offset, heads: rows, rows: length, channels: 1, headStride: rowStride, rowStride: 1 };
}

/**
 * out[h, t] = scale · a[h, t] · b[⌊h·G/H⌋, t], of a [H, n, d] and b [G, n, d]. A query that sees one key has their product for a
 * log-sum-exp.
 */
export function rowProducts(scratch: Scratch, a: Rows, b: Rows, out: ScoreRows, scale = 1): void {
  scratch.ops.attention({
    ...{ query: a, key: b, value: b, scale },
    visible: { range: { start: 0, end: b.rows, causal: true, window: 1 } },
    out: scratch.rows(a.heads, a.rows, a.channels, 'unread'),
    logSumExp: { buffer: out.buffer, offset: out.offset, headStride: out.rowStride },
  });
}

/** ‖row‖₂, [heads, rows]. */
export function norms(scratch: Scratch, input: Rows, out: ScoreRows): void {
  rowProducts(scratch, withLength(scratch, input, 1, 'directions'), input, out);
}

/** The mean of the rows of every head, [heads, 1, channels]. */
export function meanRow(scratch: Scratch, input: Rows, label: string): Rows {
  const { heads, rows, channels } = input;
  const mean = scratch.rows(heads, 1, channels, label);
  const matrix = sameForAll(scratch, new Float32Array(rows).fill(1 / rows), 1, rows, 'equal shares');
  scratch.ops.mixRows({ matrix, input, out: mean });
  return mean;
}

/** `factor` · (row − mean of the head's rows), where `mean` is `meanRow` of `input`. */
export function centred(scratch: Scratch, input: Rows, mean: Rows, factor: number, label: string): Rows {
  const { heads, rows, channels } = input;
  const out = scratch.rows(heads, rows, channels, label);
  scratch.ops.sumHeads({ input, out, factor });
  const matrix = sameForAll(scratch, new Float32Array(rows).fill(-factor), rows, 1, 'less the mean');
  scratch.ops.mixRows({ matrix, input: mean, out, accumulate: true });
  return out;
}

/** Every head's rows as columns, [heads, channels, rows]. */
export function transposed(scratch: Scratch, input: Rows, label: string): Rows {
  const { heads, rows, channels } = input;
  const identity = new Float32Array(channels * channels);
  for (let c = 0; c < channels; c++) identity[c * (channels + 1)] = 1;
  const same = sameForAll(scratch, identity, channels, channels, 'identity');
  const out = scratch.rows(heads, channels, rows, label);
  scratch.ops.matmul({ input: { ...same, heads }, weight: input, out });
  return out;
}

/** All numbers of dense `scores` less their mean and divided by their deviation (ddof 1), over heads and tokens together, in place. */
export function standardise(scratch: Scratch, { buffer, offset, rows, length }: ScoreRows): void {
  const count = rows * length;
  const all = headMajorRows(buffer, 1, 1, count, offset);
  const weight = new Float32Array(count).fill(Math.sqrt(Math.max(0, count - 1) / count));
  // As in kvpress, a deviation is 1e-6 at least.
  scratch.ops.normalize({
    ...{ kind: 'layer', input: all, out: all, epsilon: 1e-12 },
    weight: scratch.upload(weight, 'deviation'),
  });
}

/** One matrix for every head. */
function sameForAll(
  scratch: Scratch,
  data: Float32Array,
  rows: number,
  channels: number,
  label: string,
): Rows {
  return { ...headMajorRows(scratch.upload(data, label), 1, rows, channels), headStride: 0 };
}
