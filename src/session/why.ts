/** Why a query sees a key, or does not: everything that decided, as numbers. */
import { KEY_FATES, type KeyFate, type QueryRow } from '../study/types';
import { isMissed } from './missed';

export interface Why {
  readonly fate: KeyFate;
  readonly isMissed: boolean;
  /** Full attention's probability, and its rank among the keys the query could see. */
  readonly weight: number;
  readonly weightRank: number;
  readonly visible: number;
  /** The method's score, and its rank among the scored keys; null where nothing was scored. */
  readonly score: number | null;
  readonly scoreRank: number | null;
  readonly scored: number;
  readonly scoreAtCut: number | null;
  /** How many candidates share the score at the cut; null unless this key has that score. */
  readonly tied: number | null;
}

export function whyOf(row: QueryRow, key: number): Why {
  const visible = row.query + 1;
  const weight = row.weights[key] ?? 0;
  const score = row.scores?.[key] ?? Number.NaN;
  const isScored = !Number.isNaN(score);
  return {
    fate: KEY_FATES[row.fates[key] ?? 0]!,
    isMissed: isMissed(row, key),
    weight,
    weightRank: 1 + countAbove(row.weights, weight, visible),
    visible,
    score: isScored ? score : null,
    scoreRank: isScored ? 1 + countAbove(row.scores!, score, visible) : null,
    scored: row.scores ? row.scores.slice(0, visible).filter((value) => !Number.isNaN(value)).length : 0,
    scoreAtCut: row.scoreAtCut,
    tied: isScored && score === row.scoreAtCut && (row.tiedAtCut ?? 0) > 1 ? row.tiedAtCut : null,
  };
}

function countAbove(values: Float32Array, limit: number, end: number): number {
  let above = 0;
  for (let at = 0; at < end; at++) if (values[at]! > limit) above += 1;
  return above;
}
