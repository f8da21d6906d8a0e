/** Parameters that follow: defaults stay defaults when what they depend on changes, anything chosen stays as it is. */

import { fingerprint } from '../base/fingerprint';
import type { Method } from '../methods/method';
import type { MethodSpec } from '../methods/method-spec';
import type { ParameterContext, Parameters, ParameterValue } from '../methods/parameters';
import { defaultMethod, type FindMethod } from '../study/default-study';
import type { Session } from './choices';

/** The session with every method that had the defaults of `before` at the defaults of `after`. */
export function followDefaults(
  session: Session,
  findMethod: FindMethod,
  before: ParameterContext,
  after: ParameterContext,
): Session {
  const follow = (spec: MethodSpec): MethodSpec => {
    const method = findMethod(spec.id);
    if (!method || fingerprint(spec) !== fingerprint(defaultMethod(method, before))) return spec;
    return defaultMethod(method, after);
  };
  if (fingerprint(before) === fingerprint(after)) return session;
  return { ...session, method: follow(session.method), pinned: session.pinned.map(follow) };
}

/**
 * All parameters of a method: the named ones as they are, the others at the defaults that follow from them. Named values are
 * not checked: one that is too large for this text is kept, and its control says so.
 */
export function fillParameters(method: Method, named: Parameters, context: ParameterContext): Parameters {
  const filled: Record<string, ParameterValue> = {};
  for (const [name, schema] of Object.entries(method.parameters)) {
    filled[name] = Object.hasOwn(named, name) ? named[name]! : schema.default(context, filled);
  }
  return filled;
}

/** Names of the parameters that are not at the default which the others give them. */
export function changedNames(method: Method, parameters: Parameters, context: ParameterContext): string[] {
  return Object.entries(method.parameters).flatMap(([name, schema]) =>
    fingerprint(parameters[name]) === fingerprint(schema.default(context, parameters)) ? [] : [name],
  );
}

/** The parameters that a parameter follows as they stand: it has the default that they give it, and with others it would not. */
export function followedNames(
  method: Method,
  name: string,
  parameters: Parameters,
  context: ParameterContext,
): string[] {
  const schema = method.parameters[name];
  if (!schema || fingerprint(parameters[name]) !== fingerprint(schema.default(context, parameters)))
    return [];
  return Object.entries(method.parameters).flatMap(([other, { kind }]) => {
    const value = parameters[other];
    if (other === name || kind === 'choice' || kind === 'table' || value === undefined) return [];
    const moved = { ...parameters, [other]: Array.isArray(value) ? value.map(next) : next(Number(value)) };
    return fingerprint(schema.default(context, moved)) === fingerprint(parameters[name]) ? [] : [other];
  });
}

const next = (value: number): number => value + 1;
