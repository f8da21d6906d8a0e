/**
 * Where the digits of a needle's value stand, in the needle and in the answer, whatever pieces a tokenizer cuts them into. A digit
 * is written by the query before the token that carries it.
 */

import type { NeedleFacts, TextFacts } from '../study/facts';
import type { NeedleKept } from '../study/results';
import type { AnswerSelections } from './answer-selections';

/** The token of each character of `value` where it stands last in tokens [start, …) of these texts; null where it does not. */
export function tokensOfValue(
  tokenTexts: readonly string[],
  start: number,
  value: string,
  from = tokenTexts.join('').lastIndexOf(value),
): number[] | null {
  if (from < 0 || value === '') return null;
  const tokens: number[] = [];
  let offset = 0;
  for (const [at, text] of tokenTexts.entries()) {
    const next = offset + text.length;
    for (let place = Math.max(offset, from); place < Math.min(next, from + value.length); place++)
      tokens.push(start + at);
    offset = next;
  }
  return tokens;
}

/** A digit: the token that carries it in the needle, and the query that writes it. */
export interface Digit {
  readonly token: number;
  readonly query: number;
}

/**
 * The digits of every needle that is asked for, in the order of the text. Values are found in the answer as whole numbers, each
 * occurrence for one needle. None for a value that the tokens do not spell. `textsOf`: the texts of tokens [start, end).
 */
export function needleDigits(
  { needles, answerStart, tokens }: Pick<TextFacts, 'needles' | 'answerStart' | 'tokens'>,
  textsOf: (start: number, end: number) => readonly string[],
): Digit[][] {
  const asked = needles.filter((needle) => needle.asked);
  if (answerStart === null) return asked.map(() => []);
  const answerTexts = textsOf(answerStart, tokens);
  const numbers = [...answerTexts.join('').matchAll(/[\p{L}\p{N}]+/gu)];
  return asked.map((needle: NeedleFacts) => {
    const at = numbers.findIndex(([number]) => number === needle.value);
    if (at < 0) return [];
    const [found] = numbers.splice(at, 1);
    const inNeedle = tokensOfValue(textsOf(needle.start, needle.end), needle.start, needle.value);
    const inAnswer = tokensOfValue(answerTexts, answerStart, needle.value, found!.index);
    if (!inNeedle || !inAnswer) return [];
    return inNeedle.map((token, digit) => ({ token, query: inAnswer[digit]! - 1 }));
  });
}

/**
 * How many digits of each needle the queries that write them saw. The run may have written something else: a digit belongs to the
 * query at its place in the true answer, whatever stands before it, and counts only where the run got as far as that.
 */
export function keptDigits(
  digits: readonly (readonly Digit[])[],
  selections: AnswerSelections,
  { layers, queryHeads }: { readonly layers: number; readonly queryHeads: number },
): NeedleKept[] {
  const written = selections.firstQuery + selections.queries;
  return digits.map((all) => {
    const due = all.filter(({ query }) => query < written);
    return {
      digits: due.length,
      kept: Array.from({ length: layers }, (_, layer) =>
        Array.from(
          { length: queryHeads },
          (_, head) => due.filter(({ token, query }) => selections.sees(query, layer, head, token)).length,
        ),
      ),
    };
  });
}
