/** Whether a study's parameters can run, as one sentence. */

import { fingerprint } from '../base/fingerprint';
import { isUserError } from '../base/user-error';
import type { Method } from '../methods/method';
import {
  brokenRule,
  checkParameter,
  type ParameterContext,
  type Parameters,
  resolveParameters,
} from '../methods/parameters';

/** Null: all is well. A set of parameters is checked once, those of pinned methods too, for as long as the text is as long. */
export function parameterProblem(
  method: Method,
  parameters: Parameters,
  context: ParameterContext,
): string | null {
  const key = fingerprint([method.id, context]);
  let found = checked.get(parameters);
  if (found?.key !== key) {
    found = { key, problem: problemIn(() => resolveParameters(method, parameters, context)) };
    checked.set(parameters, found);
  }
  return found.problem;
}

/** Sets of parameters never change: what was said of the ones that are there, for one method and text. */
const checked = new WeakMap<Parameters, { readonly key: string; readonly problem: string | null }>();

/** The sentence for one parameter alone, a percentage in per cent, as its control has it; null: its value can be used. */
export function valueProblem(
  method: Method,
  name: string,
  value: unknown,
  context: ParameterContext,
): string | null {
  const schema = method.parameters[name];
  if (schema?.kind === 'fraction' && schema.unit === '%' && typeof value === 'number') {
    if (brokenRule(schema, value, context) === null) return null;
    const [least, most, given] = [schema.minimum, schema.maximum, value].map(inPercent);
    return `${method.id}: ${name} must be from ${least} to ${most} %, not ${given} %.`;
  }
  return problemIn(() => checkParameter(method, name, value, context));
}

/** Without the digits that a product of binary fractions adds. */
function inPercent(fraction: number): number {
  return Number((fraction * 100).toPrecision(12));
}

function problemIn(check: () => void): string | null {
  try {
    check();
    return null;
  } catch (error) {
    if (isUserError(error)) return error.message;
    throw error;
  }
}
