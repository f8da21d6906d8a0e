/** Queries and keys before rotation, for methods that cannot do without. */
import type { Rows } from '../../gpu/rows';
import { UserError } from '../base/user-error';
import type { UnrotatedInput } from './method';

/** Queries before rotation. Throws UserError without them. */
export function unrotatedQuery(methodId: string, input: Pick<UnrotatedInput, 'queryUnrotated'>): Rows {
  return input.queryUnrotated ?? lacking(methodId);
}

/** Keys before rotation. Throws UserError without them. */
export function unrotatedKey(methodId: string, input: Pick<UnrotatedInput, 'keyUnrotated'>): Rows {
  return input.keyUnrotated ?? lacking(methodId);
}

function lacking(methodId: string): never {
  throw new UserError(
    `${methodId} needs queries and keys before rotation, which this capture lacks; choose another method.`,
  );
}
