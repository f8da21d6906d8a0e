/** Which tokens of a needle carry its value. */
import { tokensOfValue } from '../../src/engine/needle-digits';
import type { NeedleFacts } from '../../src/study/facts';

/** Tokens [start, end) whose texts contain the value; the whole needle where its value is not in one piece. */
export function valueTokens(
  { start, end, value }: NeedleFacts,
  tokenTexts: readonly string[],
): { start: number; end: number } {
  const tokens = tokensOfValue(tokenTexts.slice(start, end), start, value);
  return tokens ? { start: tokens[0]!, end: tokens[tokens.length - 1]! + 1 } : { start, end };
}
