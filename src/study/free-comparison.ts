/** A method's free run beside full attention's, on the same tokens. */
import { compareLogits } from '../measure/divergence';
import type { FullRun } from './engine';
import type { StudyText } from './source';
import type { AnswerMeasurement, FreeRunMeasurement } from './types';

/** Divergence over `queries`, and both answers. */
export function compareRuns(
  text: StudyText,
  vocabularySize: number,
  full: FullRun,
  method: FullRun,
): FreeRunMeasurement {
  const { start } = text.facts.queries;
  const next = text.ids.subarray(start + 1);
  const compared = compareLogits(full.queryLogits, method.queryLogits, vocabularySize, next);
  const judge = (generated: readonly number[] | null): AnswerMeasurement | null =>
    generated ? text.judge(generated) : null;
  return {
    ...compared,
    expectedAnswer: text.answerText,
    fullAnswer: judge(full.generated),
    answer: judge(method.generated),
    attentionTime: method.attentionTime,
    fullAttentionTime: full.attentionTime,
  };
}
