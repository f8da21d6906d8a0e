import type { Rows } from '../../../gpu/rows';
import { UserError } from '../../user-error';
import type { LayerInput } from '../method';

/** Queries and keys before rotation, which ESA scores with and attends to far tokens with. Throws UserError without them. */
export function unrotated({ queryUnrotated, keyUnrotated }: LayerInput): { query: Rows; key: Rows } {
  if (queryUnrotated && keyUnrotated) return { query: queryUnrotated, key: keyUnrotated };
  throw new UserError(
    'esa needs queries and keys before rotation, which this capture lacks; choose another method.',
  );
}
