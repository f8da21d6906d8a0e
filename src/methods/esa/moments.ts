/** Second moments of a recorded layer, for models that bring no calibration. */
import type { Ops } from '../../../gpu/ops';
import { tokenMajorRows } from '../../../gpu/rows';
import type { LayerTrace } from '../../trace/trace';
import type { SecondMoments } from './closed-form';

/** Longer texts are sampled at even steps: moments settle long before, and the sum below is quadratic in channels. */
const MOST_TOKENS = 4096;

/** Uncentred second moments of q̄ (summed over each KV group) and k, both un-rotated, over the text. Null: not recorded. */
export async function momentsOf(ops: Ops, layer: LayerTrace): Promise<SecondMoments | null> {
  const { queryUnrotated, keyUnrotated } = layer;
  if (!queryUnrotated || !keyUnrotated) return null;
  const { heads, rows, channels } = keyUnrotated;
  const folded = ops.allocate('f32', heads * rows * channels, 'folded queries');
  const keys = ops.allocate('f32', heads * rows * channels, 'keys, token by token');
  const width = heads * channels;
  ops.sumHeads({ input: queryUnrotated, out: tokenMajorRows(folded, heads, rows, channels) });
  ops.copyRows({ input: keyUnrotated, out: tokenMajorRows(keys, heads, rows, channels) });
  const [queryData, keyData] = await Promise.all([ops.readFloats(folded), ops.readFloats(keys)]);
  ops.release(folded, keys);
  const step = Math.ceil(rows / MOST_TOKENS);
  return { query: secondMoments(queryData, width, step), key: secondMoments(keyData, width, step) };
}

/** (1/n) Σ x xᵀ over every `step`-th row of [rows, channels]. */
export function secondMoments(data: Float32Array, channels: number, step = 1): Float64Array {
  const sums = new Float64Array(channels * channels);
  let count = 0;
  for (let start = 0; start < data.length; start += step * channels) {
    count++;
    for (let i = 0; i < channels; i++) {
      const x = data[start + i];
      for (let j = 0; j <= i; j++) sums[i * channels + j]! += x! * data[start + j]!;
    }
  }
  for (let i = 0; i < channels; i++) {
    for (let j = 0; j <= i; j++) {
      sums[i * channels + j]! /= count;
      sums[j * channels + i] = sums[i * channels + j]!;
    }
  }
  return sums;
}
