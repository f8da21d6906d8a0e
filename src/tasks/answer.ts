import type { TaskInstance } from './task';

/** "\n\nQuestion: …?": the form in which every question stands after what is read. Outside a chat "\nAnswer:" follows. */
export function questionText(question: string): string {
  return `\n\nQuestion: ${question}`;
}

/** "1, 2, 3.": the form of every task's answer. The full stop ends it. */
export function answerSentence(values: readonly string[]): string {
  return `${values.join(', ')}.`;
}

/** An answer as it follows a prompt that is no chat. */
export function plainAnswer(answer: string): string {
  return ` ${answer}`;
}

/** The numbers of a generated answer, in order: runs of digits up to the first full stop or line break. */
export function parseAnswer(generatedText: string): string[] {
  const [sentence = ''] = generatedText.split(/[.\n]/, 1);
  return sentence.match(/[0-9]+/g) ?? [];
}

/** Right means: every number of the answer, all digits, in order, and no number more. */
export function isAnswerRight(generatedText: string, instance: Pick<TaskInstance, 'answerText'>): boolean {
  const expected = parseAnswer(instance.answerText);
  const given = parseAnswer(generatedText);
  return given.length === expected.length && given.every((value, i) => value === expected[i]);
}

/** Share of the digits of the true answer that stand in the generated one: number by number, each from its first digit on. */
export function digitsRight(generatedText: string, instance: Pick<TaskInstance, 'answerText'>): number {
  const given = parseAnswer(generatedText);
  const pairs = parseAnswer(instance.answerText).flatMap((value, i) =>
    [...value].map((digit, place) => given[i]?.[place] === digit),
  );
  return pairs.filter(Boolean).length / pairs.length;
}

/** Whether nothing generated later could change the answer: its sentence or line has ended. */
export function isAnswerComplete(generatedText: string): boolean {
  return /[.\n]/.test(generatedText);
}

/** Of one's own question: one of the accepted answers stands in what was generated, letter case and kind of white space aside. */
export function containsAnswer(generatedText: string, accepted: readonly string[]): boolean {
  const plain = (text: string): string => text.toLowerCase().replace(/\s+/g, ' ').trim();
  return accepted.some((answer) => plain(generatedText).includes(plain(answer)));
}

/** Whether a line that says something has ended. */
export function hasEndedLine(generatedText: string): boolean {
  return /\S.*\n/.test(generatedText);
}
