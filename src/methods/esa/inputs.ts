import type { Rows } from '../../../gpu/rows';
import { UserError } from '../../base/user-error';
import type { UnrotatedInput } from '../method';

/** Queries before rotation, which ESA scores with and attends to far tokens with. Throws UserError without them. */
export function unrotatedQuery(input: Pick<UnrotatedInput, 'queryUnrotated'>): Rows {
  return input.queryUnrotated ?? lacking();
}

/** Keys before rotation. Throws UserError without them. */
export function unrotatedKey(input: Pick<UnrotatedInput, 'keyUnrotated'>): Rows {
  return input.keyUnrotated ?? lacking();
}

function lacking(): never {
  throw new UserError(
    'esa needs queries and keys before rotation, which this capture lacks; choose another method.',
  );
}
