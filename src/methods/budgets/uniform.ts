/** The same number of keys in every set. */
import { evictOnceBudget, keptAtEviction, keptOfText, withKeepFraction } from '../budget';
import type { Budget } from '../compose';
import type { Parameters } from '../parameters';

/** Every set keeps its own best. */
const keep: Budget['keep'] = (ops, _parameters, _layer, { score, secondary }, count) => {
  const sets = score.rows;
  const buffer = ops.scratch('u32', sets * count, 'kept keys');
  const tied = ops.scratch('u32', sets, 'tied at the cut');
  const list = { buffer, offset: 0, sets, count, rowStride: count };
  ops.topK({
    score,
    ...(secondary ? { secondary } : {}),
    count,
    indexBase: 0,
    out: list,
    tied: { buffer: tied, offset: 0 },
  });
  return { list, tied, tiedSets: sets };
};

/** ⌊f·S⌋ of the S tokens before an eviction. */
export const uniformAtEviction: Budget = {
  count: (parameters, layer, _units, tokens) => keptAtEviction(parameters, layer, tokens),
  keep,
  withBudget: evictOnceBudget,
};

/** max(1, ⌊f·S⌋), as kvpress keeps at least one key (scorer_press.py). */
export const uniformAtLeastOne: Budget = {
  ...uniformAtEviction,
  count: (parameters, layer, _units, tokens) => Math.max(1, keptAtEviction(parameters, layer, tokens)),
};

/** ⌊f·T⌋ keys before each block, T being the tokens of the whole text. */
export const uniformOfText: Budget = {
  count: (parameters, layer, _units, tokens) => keptOfText(parameters, layer, tokens),
  keep,
  withBudget: withKeepFraction,
};

/** So many units as `countOf` says. */
export function uniformOf(
  countOf: (parameters: Parameters, layer: number, units: number, tokens: number) => number,
  withBudget: Budget['withBudget'],
): Budget {
  return { count: countOf, keep, withBudget };
}
