/** An answer cut into runs of characters that agree with the expected one and runs that do not. */
export interface AnswerPart {
  readonly text: string;
  readonly isWrong: boolean;
}

/**
 * Values (runs of letters and digits) are compared in order, character by character; what stands between them does not count.
 */
export function answerParts(answer: string, expected: string): AnswerPart[] {
  const wanted = expected.match(/[\p{L}\p{N}]+/gu) ?? [];
  let value = 0;
  const parts: { text: string; isWrong: boolean }[] = [];
  const add = (text: string, isWrong: boolean): void => {
    const last = parts.at(-1);
    if (last && last.isWrong === isWrong) last.text += text;
    else parts.push({ text, isWrong });
  };
  for (const piece of answer.match(/[\p{L}\p{N}]+|[^\p{L}\p{N}]+/gu) ?? []) {
    if (!/[\p{L}\p{N}]/u.test(piece)) {
      add(piece, false);
      continue;
    }
    const right = wanted[value] ?? '';
    value += 1;
    for (const [at, character] of [...piece].entries()) add(character, character !== [...right][at]);
    if (piece.length < right.length) add('·'.repeat(right.length - piece.length), true);
  }
  return parts;
}
