/** A method's free run beside full attention's, on the same tokens. */
import { divergencePart } from '../measure/divergence';
import { compareStates } from '../measure/logits';
import type { Decoder } from '../model/decoder/decoder';
import type { AnswerMeasurement, Difference, FreeRunMeasurement } from '../study/results';
import type { FullRun } from './events';
import type { Generation } from './generation';
import { keptDigits, needleDigits } from './needle-digits';
import type { StudyText } from './source';

/** Divergence over `queries`, what both runs generated, and what the method kept for it. Rejects with the signal's reason. */
export async function compareRuns(
  decoder: Decoder,
  text: StudyText,
  full: FullRun,
  method: Omit<Generation, 'session'>,
  signal: AbortSignal,
): Promise<FreeRunMeasurement> {
  const { queries, answerStart, needles, tokens } = text.facts;
  const next = text.ids.subarray(queries.start + 1);
  const { agreesByToken, ...divergence } = await compareStates(
    decoder,
    full.queryStates,
    method.queryStates,
    next,
    signal,
  );
  const part = (start: number, end: number) =>
    divergencePart({ ...divergence, agreesByToken }, queries.start, { start, end });
  const judge = (generated: readonly number[] | null): AnswerMeasurement | null =>
    generated && answerStart !== null ? text.judge(generated) : null;
  const { selections } = method;
  const digits = needleDigits(text.facts, (start, end) => text.textsOf(text.ids.subarray(start, end)));
  const hasNeedles = selections !== null && needles.some(({ asked }) => asked);
  return {
    ...divergence,
    question: answerStart === null ? null : part(queries.start, answerStart - 1),
    answerPart: answerStart === null ? null : part(answerStart - 1, tokens - 1),
    expectedAnswer: text.answerText,
    fullAnswer: judge(full.generated),
    answer: judge(method.generated),
    ...generatedTexts(text, full.generated, method.generated),
    needles: hasNeedles ? keptDigits(digits, selections, decoder.config) : null,
    time: null,
  };
}

function generatedTexts(
  text: StudyText,
  full: readonly number[] | null,
  method: readonly number[] | null,
): Pick<FreeRunMeasurement, 'generatedTexts' | 'differsAt'> {
  if (!full || !method) return { generatedTexts: null, differsAt: null };
  const { answerStart } = text.facts;
  const expected = answerStart === null ? full : [...text.ids.subarray(answerStart)];
  const token = firstDifference(method, expected);
  const textAt = (ids: readonly number[]): string | null =>
    token !== null && token < ids.length ? text.textsOf([ids[token]!])[0]! : null;
  const differsAt: Difference | null =
    token === null ? null : { token, written: textAt(method), expected: textAt(expected) };
  return { generatedTexts: { full: text.textsOf(full), method: text.textsOf(method) }, differsAt };
}

/** Index of the first token in which two texts differ, also where one of them has ended; null where they are equal. */
function firstDifference(a: readonly number[], b: readonly number[]): number | null {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return i;
  return null;
}
