/** Which tokens of a needle carry its value. */
import type { NeedleFacts } from '../../src/study/types';

/** Tokens [start, end) whose texts contain the value; the whole needle where its value is not in one piece. */
export function valueTokens(
  { start, end, value }: NeedleFacts,
  tokenTexts: readonly string[],
): { start: number; end: number } {
  const text = tokenTexts.slice(start, end).join('');
  const from = text.lastIndexOf(value);
  if (from < 0 || value === '') return { start, end };
  const range = { start: end, end: start };
  let offset = 0;
  for (let token = start; token < end; token++) {
    const next = offset + tokenTexts[token]!.length;
    if (next > from && offset < from + value.length) {
      range.start = Math.min(range.start, token);
      range.end = token + 1;
    }
    offset = next;
  }
  return range;
}
