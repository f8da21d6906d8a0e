/** How a token looks: what the chosen query does with it. */

import { tokensOfValue } from '../../src/engine/needle-digits';
import { KEY_FATES, type QueryRow } from '../../src/measure/results';
import { isMissed } from '../../src/page/explain/explain-key';
import type { NeedleFacts } from '../../src/study/facts';

export interface TokenLook {
  /** Kept, missed, dropped, or future: how the token is underlined. */
  readonly state: 'kept' | 'missed' | 'dropped' | 'future' | 'unknown';
  readonly part: 'sink' | 'local' | 'own-block' | null;
  /** 0 … 1: the row's weight on a log scale of four decades; 0 where there is none to show. */
  readonly shade: number;
}

export function lookOf(row: QueryRow | null, token: number): TokenLook {
  if (!row) return { state: 'unknown', part: null, shade: 0 };
  const fate = KEY_FATES[row.fates[token] ?? 0]!;
  const shade = row.positions === 'cache' ? 0 : shadeOf(row.weights[token] ?? 0);
  if (fate === 'future') return { state: 'future', part: null, shade: 0 };
  if (fate === 'mixed') return { state: 'dropped', part: null, shade };
  if (fate === 'dropped') return { state: isMissed(row, token) ? 'missed' : 'dropped', part: null, shade };
  const isForPlace = fate === 'sink' || fate === 'local' || fate === 'own-block';
  return { state: 'kept', part: isForPlace ? fate : null, shade };
}

function shadeOf(weight: number): number {
  return weight > 0 ? Math.min(1, Math.max(0, 1 + Math.log10(weight) / 4)) : 0;
}

/** The needle a token belongs to. */
export function needleAt(needles: readonly NeedleFacts[], token: number): NeedleFacts | null {
  return needles.find(({ start, end }) => token >= start && token < end) ?? null;
}

/** Tokens [start, end) whose texts contain the value; the whole needle where the value is not in one piece. */
export function valueTokens(
  { start, end, value }: NeedleFacts,
  tokenTexts: readonly string[],
): { start: number; end: number } {
  const tokens = tokensOfValue(tokenTexts.slice(start, end), start, value);
  return tokens ? { start: tokens[0]!, end: tokens[tokens.length - 1]! + 1 } : { start, end };
}
