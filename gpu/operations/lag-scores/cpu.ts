/** LagKV's scores. */
import { floatsOf, integersOf } from '../../cpu/buffer';
import type { Rows } from '../../rows';
import { checkLagScores, type LagScoresArguments } from './op';

/** Ranges below this count as constant; the division uses it instead. */
const SMALLEST_RANGE = 1e-12;

/** LagKV (arXiv 2504.04704) Eqs. 5–10. */
export function lagScores(a: LagScoresArguments): void {
  checkLagScores(a);
  const { key, value, lagTokens, partitions, out } = a;
  if (lagTokens === 0) return;
  const outData = floatsOf(out.buffer);
  const keyScores = new Float64Array(lagTokens);
  const valueScores = new Float64Array(lagTokens);
  let degenerate = 0;
  for (let head = 0; head < key.heads; head++) {
    for (let partition = 0; partition < partitions; partition++) {
      degenerate += scorePartition(key, head, partition, lagTokens, keyScores);
      degenerate += scorePartition(value, head, partition, lagTokens, valueScores);
      const start = out.offset + head * out.rowStride + partition * lagTokens;
      for (let i = 0; i < lagTokens; i++) {
        outData[start + i] = a.keyFactor * keyScores[i]! + a.valueFactor * valueScores[i]!;
      }
    }
  }
  if (a.degenerate) integersOf(a.degenerate)[0]! += degenerate;
}

/**
 * Softmax over a partition of the deviation across channels, each scaled to the range it has in the next partition.
 * Returns the number of channels whose range vanishes.
 */
function scorePartition(
  view: Rows,
  head: number,
  partition: number,
  lagTokens: number,
  scores: Float64Array,
): number {
  const data = floatsOf(view.buffer);
  const { channels, rowStride } = view;
  const first = view.offset + head * view.headStride + partition * lagTokens * rowStride;
  const next = first + lagTokens * rowStride;
  const minimum = new Float64Array(channels).fill(Number.POSITIVE_INFINITY);
  const maximum = new Float64Array(channels).fill(Number.NEGATIVE_INFINITY);
  for (let i = 0; i < lagTokens; i++) {
    for (let c = 0; c < channels; c++) {
      const x = data[next + i * rowStride + c]!;
      if (x < minimum[c]!) minimum[c] = x;
      if (x > maximum[c]!) maximum[c] = x;
    }
  }
  let degenerate = 0;
  const range = maximum;
  for (let c = 0; c < channels; c++) {
    range[c] = maximum[c]! - minimum[c]!;
    if (range[c]! < SMALLEST_RANGE) {
      range[c] = SMALLEST_RANGE;
      degenerate++;
    }
  }
  const scaled = new Float64Array(channels);
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < lagTokens; i++) {
    let mean = 0;
    for (let c = 0; c < channels; c++) {
      scaled[c] = (data[first + i * rowStride + c]! - minimum[c]!) / range[c]!;
      mean += scaled[c]!;
    }
    mean /= channels;
    let squares = 0;
    for (let c = 0; c < channels; c++) squares += (scaled[c]! - mean) ** 2;
    scores[i] = Math.sqrt(squares / (channels - 1));
    if (scores[i]! > largest) largest = scores[i]!;
  }
  let sum = 0;
  for (let i = 0; i < lagTokens; i++) {
    scores[i] = Math.exp(scores[i]! - largest);
    sum += scores[i]!;
  }
  for (let i = 0; i < lagTokens; i++) scores[i]! /= sum;
  return degenerate;
}
