/** Keys that are kept or dropped together: scores of tokens pooled to units, lists of units spread to tokens. */
import type { IndexList, Ops, ScoreRows } from '../../gpu/ops';
import type { DeviceBuffer } from '../../gpu/rows';
import type { Kept, Scores } from './compose';

/** Units of `unitTokens` that so many tokens make; the last may be short. */
export function unitsOf(unitTokens: number, tokens: number): number {
  return Math.ceil(tokens / unitTokens);
}

/** One buffer of scores, dense [rows, length]. */
export function denseScores(buffer: DeviceBuffer, rows: number, length: number): ScoreRows {
  return { buffer, offset: 0, rows, length, rowStride: length };
}

/** Means over units in place of scores of tokens, which are released; the same where a unit is a token. */
export function poolUnits<Made extends Scores>(ops: Ops, unitTokens: number, scores: Made): Made {
  if (unitTokens === 1) return scores;
  const { score } = scores;
  const length = unitsOf(unitTokens, score.length);
  const buffer = ops.scratch('f32', score.rows * length, 'scores of units');
  const pooled = denseScores(buffer, score.rows, length);
  ops.segmentReduce({ kind: 'mean', input: score, segmentLength: unitTokens, out: pooled });
  scores.release();
  const bytes = 4 * buffer.length;
  // What broke ties of tokens says nothing of units, and is released with them.
  const { secondary: _, ...others } = scores;
  return {
    ...(others as Made),
    ...{ score: pooled, buffers: [buffer], bytes, release: () => ops.release(buffer) },
  };
}

/**
 * Lists of units as lists of their tokens before `end`; the units' list is released. With several `queries` the lists are those of one
 * after the other, each of which sees a token more, the last one those before `end`.
 */
export function expandUnits(ops: Ops, unitTokens: number, kept: Kept, end: number, queries = 1): Kept {
  if (unitTokens === 1) return kept;
  const { list } = kept;
  const count = Math.min(list.count * unitTokens, end);
  const buffer = ops.scratch('u32', list.sets * (count + 1), 'kept keys');
  const tokens: IndexList = {
    ...{ buffer, offset: 0, sets: list.sets, count, rowStride: count },
    countsOffset: list.sets * count,
  };
  ops.expandList({
    ...{ segments: list, segmentLength: unitTokens, indexBase: 0, out: tokens },
    ...{ end: end - queries + 1, setsPerEnd: list.sets / queries },
  });
  ops.release(list.buffer);
  return { ...kept, list: tokens };
}
