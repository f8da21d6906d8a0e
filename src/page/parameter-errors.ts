/** Whether a study's parameters can run, as one sentence. */

import { isUserError } from '../base/user-error';
import type { Method } from '../methods/method';
import {
  checkParameter,
  type ParameterContext,
  type Parameters,
  resolveParameters,
} from '../methods/parameters';

/** Null: all is well. */
export function parameterProblem(
  method: Method,
  parameters: Parameters,
  context: ParameterContext,
): string | null {
  try {
    resolveParameters(method, parameters, context);
    return null;
  } catch (error) {
    if (isUserError(error)) return error.message;
    throw error;
  }
}

/** The sentence for one parameter alone; null: its value can be used. */
export function valueProblem(
  method: Method,
  name: string,
  value: unknown,
  context: ParameterContext,
): string | null {
  try {
    checkParameter(method, name, value, context);
    return null;
  } catch (error) {
    if (isUserError(error)) return error.message;
    throw error;
  }
}
