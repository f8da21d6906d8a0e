/**
 * Everything that has to be known beside a study's numbers, one sentence each: the page shows it, `select`, `sweep` and
 * `evaluate` write it into their files.
 */
import type { Method } from '../methods/method';
import type { ParameterContext, Parameters } from '../methods/parameters';

/** What its files said about a model. */
export function modelNotices(model: { readonly notices?: readonly string[] }): readonly string[] {
  return model.notices ?? [];
}

/** What the length of a text means; `trainedTokens` null: not known. */
export function lengthNotices(tokens: number, trainedTokens: number | null): readonly string[] {
  if (trainedTokens === null || tokens <= trainedTokens) return [];
  return [
    `The text has ${tokens.toLocaleString('en')} tokens and the model was trained on ${trainedTokens.toLocaleString('en')}: beyond them full attention is no reference.`,
  ];
}

/** What is to be known of a method before its numbers are believed; `run`: what its run said. */
export function methodNotices(
  method: Method,
  parameters: Parameters,
  context: ParameterContext,
  run: readonly string[] = [],
): readonly string[] {
  return [...new Set([...(method.notes?.(parameters, context) ?? []), ...run])];
}

export interface NoticeSources {
  /** Of model or capture. */
  readonly source?: readonly string[];
  readonly method: Method;
  readonly parameters: Parameters;
  readonly context: ParameterContext;
  readonly run?: readonly string[];
}

/** All of one method on one text: of the source, of the text's length (that of the context), of the method. No sentence twice. */
export function gatherNotices({
  source = [],
  method,
  parameters,
  context,
  run,
}: NoticeSources): readonly string[] {
  const ofLength = lengthNotices(context.tokens, context.trainedTokens);
  return [...new Set([...source, ...ofLength, ...methodNotices(method, parameters, context, run)])];
}
