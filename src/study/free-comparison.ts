/** A method's free run beside full attention's, on the same tokens. */
import type { Decoder } from '../model/decoder';
import type { FullRun } from './engine';
import { compareStates } from './logits';
import type { StudyText } from './source';
import type { AnswerMeasurement, FreeRunMeasurement } from './types';

/** Divergence over `queries`, and both answers. Rejects with the signal's reason. */
export async function compareRuns(
  decoder: Decoder,
  text: StudyText,
  full: FullRun,
  method: FullRun,
  signal: AbortSignal,
): Promise<FreeRunMeasurement> {
  const { start } = text.facts.queries;
  const next = text.ids.subarray(start + 1);
  const compared = await compareStates(decoder, full.queryStates, method.queryStates, next, signal);
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
