/** Parameters that follow the text: defaults stay defaults when the text's length changes, anything chosen stays as it is. */
import type { ParameterContext } from '../methods/parameters';
import type { MethodSpec } from '../study/types';
import { defaultMethod, type FindMethod, keyOf, type Session } from './session';

/** The session with every method that had the defaults of `before` at the defaults of `after`. */
export function followContext(
  session: Session,
  findMethod: FindMethod,
  before: ParameterContext,
  after: ParameterContext,
): Session {
  const follow = (spec: MethodSpec): MethodSpec => {
    const method = findMethod(spec.id);
    if (!method || keyOf(spec) !== keyOf(defaultMethod(method, before))) return spec;
    return defaultMethod(method, after);
  };
  if (keyOf(before) === keyOf(after)) return session;
  return { ...session, method: follow(session.method), pinned: session.pinned.map(follow) };
}
