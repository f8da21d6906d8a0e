import type { IndexList, ProbabilityInputs } from '../../arguments';
import { CpuBuffer, floatsOf, integersOf } from '../../cpu/buffer';
import { listLength } from '../../cpu/lists';
import { PANEL_ROWS } from '../../cpu/panel';
import { type ProbabilitiesOfHead, probabilitiesOfHead } from '../../cpu/probabilities';
import { headMajorRows, sliceHeads } from '../../rows';
import { fail } from '../../validate';
import { type AccumulatedAttentionArguments, checkAccumulatedAttention, ofRange } from './op';

export function accumulatedAttention(a: AccumulatedAttentionArguments, ofHead = probabilitiesOfHead): void {
  checkAccumulatedAttention(a);
  const { query, key, visible, out, accumulate = false } = a;
  const outData = floatsOf(out.buffer);
  const inRange = out.rows === key.heads ? headsAsRows(ofRange(a)) : ofRange(a);
  const rangeHeads = inRange.query.heads / out.rows;
  const heads = query.heads / out.rows;
  for (let row = 0; row < out.rows; row++) {
    const sums = new Float64Array(key.rows);
    const { start, end } = visible.range;
    for (let head = row * rangeHeads; head < (row + 1) * rangeHeads; head++) {
      addProbabilities(inRange, head, ofHead, sums.subarray(start, end));
    }
    for (let head = row * heads; visible.list && head < (row + 1) * heads; head++) {
      addListed(a, visible.list, head, ofHead, sums);
    }
    const at = out.offset + row * out.rowStride;
    if (accumulate) for (let t = 0; t < sums.length; t++) sums[t]! += outData[at + t]!;
    outData.set(sums, at);
  }
}

/** sums[t] += Σ over the query rows of one head's probabilities on key t. */
function addProbabilities(
  inputs: ProbabilityInputs,
  head: number,
  ofHead: ProbabilitiesOfHead,
  sums: Float64Array,
): void {
  const { query } = inputs;
  const probabilities = ofHead(inputs, head);
  for (let row = 0; row < query.rows; row += PANEL_ROWS) {
    const rows = Math.min(PANEL_ROWS, query.rows - row);
    probabilities.load(row, rows);
    for (let r = 0; r < rows; r++) {
      const start = r * probabilities.stride;
      const limit = probabilities.limits[r]!;
      for (let t = 0; t < limit; t++) sums[t]! += probabilities.values[start + t]!;
    }
  }
}

/** The same for the keys that are listed for a head, brought together: every query sees all of them. */
function addListed(
  { query, key, scale, softCap, logSumExp }: AccumulatedAttentionArguments,
  list: IndexList,
  head: number,
  ofHead: ProbabilitiesOfHead,
  sums: Float64Array,
): void {
  const set = Math.floor((head * list.sets) / query.heads);
  const first = list.offset + set * list.rowStride;
  const count = listLength('accumulatedAttention', list, set);
  const indices = integersOf(list.buffer).subarray(first, first + count);
  const keyData = floatsOf(key.buffer);
  const keyStart = key.offset + Math.floor((head * key.heads) / query.heads) * key.headStride;
  const buffer = new CpuBuffer('f32', count * key.channels, 'listed keys');
  const listed = floatsOf(buffer);
  indices.forEach((index, i) => {
    if (index >= key.rows) {
      fail('accumulatedAttention', `visible.list names row ${index} of ${key.rows}`);
    }
    const from = keyStart + index * key.rowStride;
    listed.set(keyData.subarray(from, from + key.channels), i * key.channels);
  });
  const inputs = {
    query: sliceHeads(query, head, 1),
    key: headMajorRows(buffer, 1, count, key.channels),
    scale,
    softCap,
    logSumExp: { ...logSumExp, offset: logSumExp.offset + head * logSumExp.headStride },
    causalOffset: count,
  };
  const received = new Float64Array(count);
  addProbabilities(inputs, 0, ofHead, received);
  for (let i = 0; i < count; i++) sums[indices[i]!]! += received[i]!;
}

/** One query that sees every key: the heads of a group, which share their keys, are as good as rows of one head. */
function headsAsRows(a: ProbabilityInputs): ProbabilityInputs {
  const { query, key, logSumExp, causalOffset } = a;
  if (query.rows !== 1 || key.heads === 0 || causalOffset + 1 < key.rows || a.window !== undefined) return a;
  const rows = query.heads / key.heads;
  const buffer = new CpuBuffer('f32', query.heads, 'log-sum-exp of heads');
  const [from, to] = [floatsOf(logSumExp.buffer), floatsOf(buffer)];
  for (let head = 0; head < query.heads; head++)
    to[head] = from[logSumExp.offset + head * logSumExp.headStride]!;
  return {
    ...a,
    query: {
      ...{ ...query, heads: key.heads, rows },
      ...{ headStride: rows * query.headStride, rowStride: query.headStride },
    },
    logSumExp: { buffer, offset: 0, headStride: rows },
  };
}
