/** A study's method and parameters, checked for the model and text that it runs on. */

import { isUserError } from '../base/user-error';
import { methodById } from '../methods';
import { importedMethod } from '../methods/imported';
import type { ImportedSelection } from '../methods/imported/selection';
import type { Method } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';
import { type ParameterContext, type Parameters, resolveParameters } from '../methods/parameters';
import type { ModelHead } from '../model/load';
import type { StudySpec } from '../study/spec';
import type { StudyText } from './source';

/** A method with checked parameters for one model and text. */
export interface ResolvedMethod {
  readonly method: Method;
  readonly parameters: Parameters;
  readonly spec: MethodSpec;
}

/** What defaults and limits of parameters depend on. */
export function parameterContext({ config }: Pick<ModelHead, 'config'>, tokens: number): ParameterContext {
  const { layers, queryHeads, keyValueHeads, headDimension, trainedTokens } = config;
  return { tokens, trainedTokens, layers, queryHeads, keyValueHeads, headDimension };
}

/** A task counts as long as was asked for; its text all but fills that. */
export function studyContext(
  { source }: StudySpec,
  model: Pick<ModelHead, 'config'>,
  text: StudyText,
): ParameterContext {
  return parameterContext(model, source.kind === 'task' ? source.tokens : text.ids.length);
}

/** Selections that were computed elsewhere, by their method's id. */
export type Imported = ReadonlyMap<string, ImportedSelection>;

/** Checks a method's parameters for one text. Throws UserError. */
export function resolve(spec: MethodSpec, context: ParameterContext, imported?: Imported): ResolvedMethod {
  const selection = imported?.get(spec.id);
  const method = selection ? importedMethod(selection, context) : methodById(spec.id);
  const parameters = resolveParameters(method, spec.parameters, context);
  return { method, parameters, spec };
}

/** Parameters that this model cannot take are refused once the page knows the model; the length is planned without them. */
export function resolvedOrFull(
  spec: MethodSpec,
  context: ParameterContext,
  imported?: Imported,
): ResolvedMethod {
  try {
    return resolve(spec, context, imported);
  } catch (error) {
    if (!isUserError(error)) throw error;
    return resolve({ id: 'full', parameters: {} }, context);
  }
}
